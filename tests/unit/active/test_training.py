from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from harness.active import training
from harness_network.small import SmallCNN

RNG = np.random.default_rng
IMAGES = RNG(0).integers(0, 256, size=(40, 3, 9, 8), dtype=np.uint8)


def model(seed=0, **parameters):
    return training.initialise(SmallCNN(width=4, **parameters), IMAGES, 5, RNG(seed))


def weights(module):
    return np.concatenate([value.detach().numpy().ravel() for value in module.state_dict().values()])


def test_the_schedule_has_the_values_of_the_thesis():
    found = [training.cosine(0.2, epoch, 200) for epoch in (0, 50, 100, 105, 199, 200)]
    assert found == pytest.approx([0.2, 0.1733052, 0.1074730, 0.1, 0.00135094, 0.001117], abs=1e-6)


def test_statistics_are_those_of_the_pixels():
    mean, std = training.pixel_statistics(IMAGES)
    pixels = IMAGES.transpose(1, 0, 2, 3).reshape(3, -1).astype(np.float64)
    np.testing.assert_allclose(mean, pixels.mean(1), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(1), rtol=1e-6)


def test_a_constant_channel_is_not_divided_by_zero():
    assert training.pixel_statistics(np.full((3, 1, 4, 4), 7, np.uint8))[1].tolist() == [1]


def test_the_network_sees_standardised_pixels():
    class Identity(nn.Module):
        def forward(self, images):
            return images, images

    seen = training.Normalised(Identity(), *training.pixel_statistics(IMAGES))(torch.from_numpy(IMAGES))[0]
    assert seen.mean((0, 2, 3)).abs().max() < 1e-5
    assert (seen.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_initial_weights_follow_the_seed_and_leave_torch_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = weights(model(seed=1)), weights(model(seed=1))
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, weights(model(seed=2)))


def test_the_precision_that_a_user_chose_is_left_alone():
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    with training.seeded(RNG(0)):
        assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
        assert cudnn.allow_tf32
        cudnn.allow_tf32 = False
    try:
        with training.seeded(RNG(0)):
            assert not cudnn.allow_tf32
        assert not cudnn.allow_tf32
    finally:
        cudnn.allow_tf32 = True
    assert (cudnn.benchmark, cudnn.deterministic) == before


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="torch has no switch for convolutions")
def test_the_newer_switches_of_precision_may_be_in_use():
    convolutions = torch.backends.cudnn.conv
    before = convolutions.fp32_precision
    try:
        convolutions.fp32_precision = "ieee"
        with training.seeded(RNG(0)):
            assert convolutions.fp32_precision == "ieee"
        assert convolutions.fp32_precision == "ieee"
    finally:
        convolutions.fp32_precision = before


def shifted(image, rows, columns, mirrored, largest):
    """Reflect padding, crop, flip: as one would write it for one image."""
    pad = ((0, 0), (largest, largest), (largest, largest))
    _, height, width = image.shape
    padded = np.pad(image, pad, mode="reflect")
    crop = padded[:, largest + rows : largest + rows + height, largest + columns : largest + columns + width]
    return crop[:, :, ::-1] if mirrored else crop


def test_augmented_images_are_shifted_reflected_and_mirrored():
    images = torch.arange(2 * 6 * 6).reshape(1, 2, 6, 6).repeat(400, 1, 1, 1)
    original = images[0].numpy()
    offsets = (-2, -1, 0, 1, 2)
    possible = {
        shifted(original, rows, columns, mirrored, 2).tobytes()
        for rows in offsets
        for columns in offsets
        for mirrored in (False, True)
    }
    torch.manual_seed(0)
    found = {image.numpy().tobytes() for image in training.augment(images, 0.34, flip=True)}
    assert found <= possible
    assert len(found) == len(possible) == 50


def test_without_room_nothing_moves():
    images = torch.from_numpy(IMAGES)
    assert torch.equal(training.augment(images, 0.1, flip=False), images)


@pytest.mark.parametrize(("n", "size", "steps", "batch"), [(10, 32, 1, 10), (32, 32, 1, 32), (100, 32, 3, 32)])
def test_batches(n, size, steps, batch):
    found = list(training.shuffled_batches(n, size, 2, torch.device("cpu")))
    assert len(found) == 2 * steps
    assert all(len(set(positions.tolist())) == batch for _, positions in found)
    assert [epoch for epoch, _ in found] == pytest.approx([step / steps for step in range(2 * steps)])


def test_features_do_not_depend_on_the_batch_nor_on_being_in_training():
    network = model().train()
    features, probabilities = training.extract(network, IMAGES)
    again, _ = training.extract(network, IMAGES, batch=7)
    np.testing.assert_allclose(features, again, rtol=1e-4, atol=1e-5)
    assert features.shape == (40, 16)
    assert features.dtype == probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_dropout_passes_differ_follow_the_seed_and_leave_the_model_as_it_was():
    network = model(dropout=0.5)
    before = weights(network)
    passes = training.dropout_probabilities(network, IMAGES, 3, RNG(1))
    assert passes.shape == (3, 40, 5)
    assert not np.array_equal(passes[0], passes[1])
    assert np.array_equal(passes, training.dropout_probabilities(network, IMAGES, 3, RNG(1)))
    assert np.array_equal(before, weights(network))
    assert not any(module.training for module in network.modules())


def test_without_dropout_all_passes_are_the_prediction():
    network = model(dropout=0.0)
    passes = training.dropout_probabilities(network, IMAGES, 2, RNG(1))
    np.testing.assert_allclose(passes, np.stack([training.extract(network, IMAGES)[1]] * 2), rtol=1e-6)

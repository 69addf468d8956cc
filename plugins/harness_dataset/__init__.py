"""Built-in datasets: registration only."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl

EXAMPLES = "harness_dataset.examples"


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the datasets; each is loaded on first use."""
    few = {"objects": 2, "images": 12, "queries": 3, "size": 64}
    registry.dataset("synthetic-instances", "harness_dataset.synthetic_instances:SyntheticInstances", check=few)
    registry.dataset(
        "photographs", "harness_dataset.photographs:Photographs", check={"images": 50, "queries": 3, "size": 64}
    )
    registry.dataset("digits", "harness_dataset.digits:Digits")
    registry.dataset("mnist", "harness_dataset.mnist:Mnist")
    registry.dataset("fashion-mnist", "harness_dataset.mnist:FashionMnist")
    registry.dataset("usps", "harness_dataset.usps:Usps")
    registry.dataset("cifar", "harness_dataset.cifar:Cifar")
    registry.dataset("svhn", "harness_dataset.svhn:Svhn")
    registry.dataset("revisited", "harness_dataset.revisited:Revisited", check=f"{EXAMPLES}:revisited")
    registry.dataset("buildings", "harness_dataset.buildings:Buildings", check=f"{EXAMPLES}:buildings")
    registry.dataset("instre", "harness_dataset.instre:Instre")
    registry.dataset("ilias", "harness_dataset.ilias:Ilias", check=f"{EXAMPLES}:ilias")
    registry.dataset("sfm120k", "harness_dataset.sfm120k:SfM120k")
    registry.dataset(
        "descriptors", "harness_dataset.descriptors:DescriptorGroundTruth", check=f"{EXAMPLES}:descriptors"
    )
    registry.dataset("embeddings", "harness_dataset.embeddings:Embeddings", check=f"{EXAMPLES}:embeddings")
    registry.dataset("image-classes", "harness_dataset.image_classes:ImageClasses", check=f"{EXAMPLES}:image_classes")
    registry.dataset(
        "image-instances", "harness_dataset.image_instances:ImageInstances", check=f"{EXAMPLES}:image_instances"
    )

"""Built-in backbones: registration only."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the backbones; each is loaded on first use."""
    untrained = {"weights": "none"}  # those of ImageNet are a download
    registry.backbone("tiny", "harness_backbone.tiny:Tiny", evidence="harness_evidence.backbones:tiny")
    registry.backbone(
        "vgg16", "harness_backbone.vgg16:VGG16", check=untrained, evidence="harness_evidence.backbones:vgg16"
    )
    registry.backbone(
        "efficientnet-lite0",
        "harness_backbone.efficientnet_lite0:EfficientNetLite0",
        check=untrained,
        evidence="harness_evidence.backbones:efficientnet_lite0",
    )
    registry.backbone(
        "resnet50", "harness_backbone.resnet:ResNet50", check=untrained, evidence="harness_evidence.backbones:resnet50"
    )
    registry.backbone(
        "resnet101",
        "harness_backbone.resnet:ResNet101",
        check=untrained,
        evidence="harness_evidence.backbones:resnet101",
    )
    small = {"model": "resnet10t", "weights": "none"}
    registry.backbone(
        "timm", "harness_backbone.timm_models:Timm", check=small, evidence="harness_evidence.backbones:timm"
    )
    some = {"factory": "harness_backbone.examples:some_module", "stride": 4}
    registry.backbone(
        "module", "harness_backbone.user_module:UserModule", check=some, evidence="harness_evidence.backbones:module"
    )

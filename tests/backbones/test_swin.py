import torch

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer


def test_official_parity() -> None:
    fixture = Fixture("swin_tiny_custom_w4_det_official")
    model = SwinTransformer(
        embed_dims=24, depths=(2, 2, 4, 2), num_heads=(2, 3, 4, 6), window_size=4, mlp_ratio=2.0
    ).eval()
    state = {
        key.replace("layers.", "stages.").replace("norm", "norms.", 1)
        if key.startswith("norm")
        else key.replace("layers.", "stages."): value
        for key, value in fixture.state_dict().items()
        if not key.endswith("relative_position_index")
    }
    model.load_state_dict(state)
    for size, images in fixture.inputs().items():
        for index, feature_map in enumerate(model(images), start=1):
            fixture.assert_close(f"{size}.stage{index}", feature_map)
    assert torch.is_grad_enabled()

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmseg.models.segmentors import EncoderDecoder as MmsegEncoderDecoder

from vitdet.segmentors import EncoderDecoder

NUM_CLASSES = 5


@pytest.fixture(scope="module")
def model() -> EncoderDecoder:
    torch.manual_seed(0)
    widths = dict(embed_dims=8, num_heads=(1, 1, 2, 2), depths=(1, 1, 1, 1), window_size=4)
    config = ConfigDict(
        type="vitdet.EncoderDecoder",
        backbone=dict(type="vitdet.SwinTransformer", **widths),
        decode_head=dict(
            type="FCNHead",
            in_channels=8,
            in_index=0,
            channels=8,
            num_convs=1,
            concat_input=False,
            num_classes=NUM_CLASSES,
        ),
        test_cfg=dict(mode="slide", crop_size=(32, 48), stride=(21, 32)),
    )
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build(config).eval()
    assert type(model) is EncoderDecoder
    return model


@pytest.mark.parametrize("size", [(32, 48), (64, 96), (75, 49), (33, 130), (20, 100), (20, 30)])
def test_windows_give_what_mmseg_gives(model: EncoderDecoder, size: tuple[int, int]) -> None:
    images = torch.randn(2, 3, *size)
    metas = [dict(img_shape=size, pad_shape=size, ori_shape=size)] * 2
    with torch.no_grad():
        ours = model.inference(images, metas)
        theirs = MmsegEncoderDecoder.slide_inference(model, images, [dict(meta) for meta in metas])
    assert ours.shape == (2, NUM_CLASSES, *size)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert metas[0]["img_shape"] == size  # the caller's stay as they are


def test_heads_are_told_the_size_of_the_window(model: EncoderDecoder, monkeypatch) -> None:
    told = []

    def encode_decode(window: torch.Tensor, metas: list[dict]) -> torch.Tensor:
        told.extend((meta["img_shape"], meta["pad_shape"], window.shape[2:]) for meta in metas)
        return window.new_ones(len(window), NUM_CLASSES, *window.shape[2:])

    monkeypatch.setattr(model, "encode_decode", encode_decode)
    meta = dict(img_shape=(40, 60), pad_shape=(40, 60))
    logits = model.slide_inference(torch.zeros(1, 3, 40, 60), [meta])
    assert told == [((32, 48),) * 3] * 4
    assert logits.eq(1).all()

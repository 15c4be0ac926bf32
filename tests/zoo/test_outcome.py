import pytest

from vitdet.zoo.outcome import excuse, shorten


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'detectron2'", name="detectron2.layers"),
        ImportError("please install Detectron2 first: pip install detectron2"),
        RuntimeError("detectron2 is not installed, please install it"),
        ImportError("Please install Detectron2 first"),
        KeyError("not in the registry"),
    ],
)
def test_what_is_missing_is_named(error: Exception) -> None:
    first = ModuleNotFoundError("No module named 'detectron2'", name="detectron2")
    assert excuse(raised(error, first)) == "needs detectron2"


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'pkg_resources'", name="pkg_resources"),
        ModuleNotFoundError("No module named 'mmcv._ext'", name="mmcv._ext"),
        ImportError("cannot import name 'ResNet' from 'mmdet'"),
        ValueError("a detectron2 of the wrong kind"),
        AssertionError(),
    ],
)
def test_a_fault_is_not_excused(error: Exception) -> None:
    assert excuse(raised(error)) is None


def test_a_refused_download_is_an_excuse() -> None:
    error = OSError("Can't load the configuration for 'bert-base-uncased'. If you were trying ...")
    assert "bert-base-uncased" in excuse(raised(error))
    assert excuse(raised(OSError("No space left on device"))) is None


def test_weights_without_which_a_model_cannot_start_are_an_excuse() -> None:
    from mmseg.models.decode_heads.san_head import RecWithAttnbias
    from torch import nn

    head = RecWithAttnbias.__new__(RecWithAttnbias)
    nn.Module.__init__(head)
    with pytest.raises(AttributeError) as caught:
        head.init_weights(None)
    assert excuse(caught.value) == "needs a download: the weights it starts from"


def test_mmseg_s_vpd_does_not_name_its_package() -> None:
    error = AssertionError("To use VPD model, please install required packages via `pip ...`.")
    assert excuse(raised(error)) == "needs ldm"


def test_a_bare_assertion_says_where_it_stands() -> None:
    assert "zoo/test_outcome.py, line" in shorten(raised(AssertionError()))


def test_one_short_line() -> None:
    line = shorten(raised(RuntimeError("much\n" * 100)))
    assert "\n" not in line and len(line) == 160 and line.startswith("RuntimeError: much much")

import copy
import pickle

import pytest
from mmengine.config import Config
from mmengine.config import config as config_module


def test_a_text_is_laid_out_once_for_each_content(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    format_code = config_module.FormatCode
    monkeypatch.setattr(
        config_module, "FormatCode", lambda *a, **k: calls.append(1) or format_code(*a, **k)
    )
    config = Config(dict(model=dict(type="A", width=3)))
    texts = [config.pretty_text for _ in range(3)]
    assert len(calls) == 1 and len(set(texts)) == 1
    config.model.width = 4
    assert config.pretty_text == texts[0].replace("3", "4")
    for other in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert other.pretty_text == config.pretty_text
        assert set(other.keys()) == {"model"}

"""What stands behind `--cfg-options`."""

import random
from pathlib import Path

from mmengine.config import Config

from tests.fuzz.hostile_values import TEXTS
from tests.fuzz.reader import Hostile, Reader
from vitdet.engine.config_options import apply_options
from vitdet.engine.option_values import parse_options

_KEYS = (
    "model.bias", "model.type", "model", "train_cfg.max_epochs", "optim_wrapper.optimizer.lr",
    "param_scheduler.0.end", "param_scheduler.0", "param_scheduler", "load_from", "load_from.x",
    "optim_wrapper.paramwise_cfg.custom_keys.norm", "randomness.seed", "default_scope",
    "image_size", "model._delete_", "train_cfg._base_", "param_scheduler.²", "param_scheduler.-1",
)  # fmt: skip
_VALUES = (
    "3", "-1.5e-3", "true", "None", "[1,2]", "(1,2)", "1,2", "[(1,2),[a,b]]", "dict(a=1,b=2)", "a",
    "dict(type='A', x=[1])", "{'a': 1, 'b': 2}", "'a b'", "f(1,2)", "a,b)", "[(1,2]",
    "torch.nn.ReLU",
)  # fmt: skip
_LETTERS = "[](),'\"=. 0123456789abcdict{}:-_eE\n\t"


def _config() -> Config:
    schedule = [dict(type="LinearLR", end=10), dict(type="MultiStepLR")]
    return Config(
        dict(
            model=dict(type="torch.nn.Linear", in_features=3),
            optim_wrapper=dict(
                optimizer=dict(type="SGD", lr=0.1), paramwise_cfg=dict(custom_keys=dict(norm=0))
            ),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            param_scheduler=schedule,
            load_from=None,
            image_size=64,
        )
    )


def write(folder: Path, rng: random.Random) -> list[str]:
    return [_option(rng) for _ in range(rng.choice((1, 1, 2, 3)))]


def _option(rng: random.Random) -> str:
    key, value = rng.choice(_KEYS), rng.choice(_VALUES)
    for _ in range(rng.choice((0, 1, 2, 5))):
        at = rng.randrange(len(value) + 1)
        value = value[:at] + rng.choice(_LETTERS) + value[at + rng.randrange(2) :]
    match rng.randrange(8):
        case 0:
            value = rng.choice(TEXTS)
        case 1:
            key = f"{key}.{rng.choice((*TEXTS, '0', 'lr'))}"
        case 2:
            at = rng.randrange(len(key))
            key = key[:at] + rng.choice(_LETTERS) + key[at + 1 :]
        case 3:
            return rng.choice((key, value, f"{key}=", f"={value}"))
    return f"{key}={value}"


def _options(*texts: str) -> Hostile:
    return lambda folder: list(texts)


HOSTILE: list[Hostile] = [
    *(_options(f"load_from={text}") for text in TEXTS),
    *(_options(f"model.bias={value}") for value in _VALUES),
    *(_options(f"{text}=1") for text in TEXTS),
    *(_options(f"model.{text}=1") for text in TEXTS),
    *(_options(f"load_from={text}") for text in (
        "[" * 60_000 + "]" * 60_000, "(" * 120_000, "[" * 120_000 + ",", "," * 120_000,
        "1," * 60_000, "(1,2)," * 20_000, "[(" * 30_000 + ")]" * 30_000, "'" * 120_000, "))),",
        "dict(" * 20_000 + "a=1,b=2" + ")" * 20_000, "f(" * 20_000 + "1,2" + ")" * 20_000,
    )),
    _options("model" + ".a" * 60_000 + "=1"), _options("model=1", "model.bias=2"),
    _options("model.bias=2", "model=1"), _options("model.bias.x=1", "model.bias=1"),
    _options("param_scheduler.0=3"), _options("param_scheduler.0.end.x=3"), _options("load_from"),
    _options("a.b.c"), _options("="), _options(""), _options("==="), _options("model=dict()"),
]  # fmt: skip


def read(options: list[str]) -> None:
    config = _config()
    apply_options(config, parse_options(options))


READER = Reader("options", write, read, HOSTILE)

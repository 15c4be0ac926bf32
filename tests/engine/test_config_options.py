import pytest
from mmengine.config import Config

from vitdet.engine.config_options import apply_options
from vitdet.errors import UserError


@pytest.fixture
def config() -> Config:
    return Config(
        dict(
            model=dict(type="torch.nn.Linear", in_features=3),
            optim_wrapper=dict(
                type="OptimWrapper",
                optimizer=dict(type="SGD", lr=0.1),
                paramwise_cfg=dict(custom_keys=dict(norm=dict(decay_mult=0.0))),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            train_dataloader=dict(batch_size=2, num_workers=None, dataset=dict()),
            param_scheduler=[dict(type="LinearLR", end=10), dict(type="MultiStepLR")],
            load_from=None,
            image_size=64,
        )
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train_cfg.max_epochs", 7),
        ("optim_wrapper.optimizer.lr", 0.5),
        ("optim_wrapper.optimizer.momentum", 0.9),  # a parameter the config leaves out
        ("model.bias", False),
        ("param_scheduler.0.end", 20),
        ("param_scheduler.1.milestones", [1, 2]),
        ("train_dataloader.persistent_workers", True),  # of torch's DataLoader
        ("load_from", "a.pth"),
        ("randomness.seed", 3),  # an argument of the runner the config leaves out
    ],
)
def test_known_keys_are_set(config: Config, key: str, value: object) -> None:
    apply_options(config, {key: value})
    node = config
    for name in key.split("."):
        node = node[int(name)] if isinstance(node, list) else node[name]
    assert node == value


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("modle.bias", r"no such key modle; did you mean model"),
        ("optim_wrapper.optimizer.learning_rate", r"SGD at optim_wrapper\.optimizer has no"),
        ("optim_wrapper.optimiser.lr", r"did you mean optimizer"),
        ("model.biass", r"Linear at model has no biass; did you mean bias"),
        ("train_cfg.max_epoch", r"did you mean max_epochs"),
        ("param_scheduler.2.end", r"list of 2"),
        ("param_scheduler.first.end", r"list of 2"),
        ("train_cfg.max_epochs.x", r"max_epochs is 3 and has no x"),
        ("train_dataloader.persistant_workers", r"DataLoader at .*did you mean persistent_workers"),
        ("image_size", r"helper variable"),
    ],
)
def test_keys_that_nothing_reads_are_refused(config: Config, key: str, message: str) -> None:
    before = config.to_dict()
    with pytest.raises(UserError, match=message) as error:
        apply_options(config, {key: 1})
    assert "\n" not in str(error.value)
    assert config.to_dict() == before


@pytest.mark.parametrize("value", ["dict(lr=0.5)", '{"lr": 0.5}'])
def test_a_group_of_settings_is_not_taken_for_a_text(config: Config, value: str) -> None:
    with pytest.raises(UserError, match=r"optimizer=.*as in optim_wrapper\.optimizer\.NAME=VALUE"):
        apply_options(config, {"optim_wrapper.optimizer": value})

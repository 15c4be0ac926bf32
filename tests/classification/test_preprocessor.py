import torch
from torchvision.transforms.v2 import RandomErasing

from vitdet.classification import ImagePreprocessor


def test_images_are_normalized_and_erased_in_training_only() -> None:
    preprocessor = ImagePreprocessor(
        [10.0, 20.0, 30.0],
        [2.0, 2.0, 2.0],
        augments=[dict(type=RandomErasing, p=1.0, scale=(0.1, 0.3), value="random")],
    )
    image = torch.tensor([12, 24, 36], dtype=torch.uint8).view(3, 1, 1).expand(3, 16, 16)
    clean = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1).expand(2, 3, 16, 16)
    tested = preprocessor({"inputs": [image, image]}, training=False)["inputs"]
    torch.testing.assert_close(tested, clean)
    trained = preprocessor({"inputs": [image, image]}, training=True)["inputs"]
    erased = (trained != clean).all(1).float().mean((1, 2))
    assert ((erased > 0.05) & (erased < 0.4)).all()
    assert not torch.equal(trained[0], trained[1])

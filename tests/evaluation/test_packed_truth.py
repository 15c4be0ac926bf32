from vitdet.evaluation.packed_truth import PackedTruth


def test_each_unpacking_is_equal_and_of_its_own() -> None:
    content = {
        "images": [{"id": "a", "file_name": "ä.jpg"}, {"id": 2**70}],
        "annotations": [{"bbox": [0.1 + 0.2, 1, 2, 1e-300], "segmentation": [[1.5, 2]], "x": None}],
        "categories": [],
    }
    packed = PackedTruth(content)
    first = packed.unpack()
    assert first == content and packed.num_images == 2
    first["images"].clear()
    assert packed.unpack() == content

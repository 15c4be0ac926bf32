import vitdet  # noqa: F401  before any test file, so that all may import mmdet and mmseg

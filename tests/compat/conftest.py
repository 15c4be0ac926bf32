"""The OpenMMLab stack imports only after vitdet; sorted imports would put it first."""

import vitdet  # noqa: F401

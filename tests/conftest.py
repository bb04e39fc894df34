"""What all tests share: no timing decides one, and random examples are the same in CI every time."""

import os

from hypothesis import settings

settings.register_profile("tinynet", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tinynet")

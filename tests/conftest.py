"""What every test stands on: how hypothesis searches."""

import os

from hypothesis import HealthCheck, settings

# No test asserts a time, hypothesis's included; a shared machine tries the same examples each run.
settings.register_profile(
    "flockpit",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("flockpit")

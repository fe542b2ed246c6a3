"""Two test processes on two cores: more threads than that would only wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does.
settings.register_profile("spelunk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spelunk")

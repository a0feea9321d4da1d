"""From a command line to jobs: every job of a sweep is composed, checked and written down before the first starts.

Hydra composes again when it runs a job; this pre-flight makes sure that nothing fails late that could fail early.
Knows nothing of how a job is done, and imports no torch.
"""

from bsft.launch.checks import check_and_prepare
from bsft.launch.command import is_further_rank, job_arguments, main, mask_overrides
from bsft.launch.hydra_internals import STOCK_SWEEPER
from bsft.launch.planning import Plan, plan

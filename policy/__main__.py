"""The policy pack of this project; its code is the checkout's around this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pack import policies
from pulumi_policy import PolicyPack

PolicyPack(name="fsm-stack", policies=policies())

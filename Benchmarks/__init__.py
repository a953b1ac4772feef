"""Sluice measured beside its peers. `make bench`; README.md tells the method."""

import os
import sys

# The tests' helpers: labs, namespaces, Open vSwitch, shell.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Integration"))

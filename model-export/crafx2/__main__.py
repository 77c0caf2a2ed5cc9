"""`python -m crafx2` is the command `crafx2`."""

import sys

from .cli import main

sys.exit(main())

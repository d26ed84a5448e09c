"""``python -m registry_s3fs``."""

import sys

from registry_s3fs.cli import main

sys.exit(main())

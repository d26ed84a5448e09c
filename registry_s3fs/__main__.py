"""The command ``python -m registry_s3fs``."""

import sys

from registry_s3fs.cli.main import main

sys.exit(main())

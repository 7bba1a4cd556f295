"""Days that people ask for: the ends of the calendar are nobody's business day, and nothing can be reckoned beyond."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

FIRST_DAY = date(1970, 1, 2)
LAST_DAY = date(9000, 1, 1)
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]

"""Real data: texts, images, molecules and tables, each embedded, from files or from the hub. Stands on one contract,
`base`.
"""

from trainables.sources.base import Source

__all__ = ["Source"]

"""Contract suites for what other packages may add to `sweep`: trackers. Needs pytest.

```python
class TestMine(TrackerContract):
    def make(self, folder, study): ...
    def read(self, folder, study): ...
```
"""

from sweep.testing.trackers import Seen, TrackerContract

__all__ = ["Seen", "TrackerContract"]

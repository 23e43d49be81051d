#!/usr/bin/env bash
# datasets 5.2.0: of a shuffled stream, `take(n)` for tests and `skip(n)` for training share rows from the second epoch on.
#
# Guess before running: the two are a partition of the rows, in every epoch, as `train_test_split` is for a dataset that is no
# stream.
# Seen: in epoch 0 they are. `set_epoch(1)` on the training part shuffles below the skip again, which then skips other rows: 30
# of 100 rows taken are trained on in epoch 1, 80 after five epochs, in one shard or ten. `set_epoch` is what accelerate's
# loaders call, and so transformers' Trainer. With the shuffle after `skip` none are.
# Output seen: "shuffle, split, 1 shard(s): test rows trained on up to epoch 0, 1, …: [0, 30, 54, 69, 80]" and "split, shuffle,
# 1 shard(s): [0, 0, 0, 0, 0]", both the same for ten shards.
# Who it hits: recursions on streamed corpora: generation 0 learns its test set over its epochs, so that every later generation
# looks worse than it is. Take the test rows off before the shuffle.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 numpy==2.4.6 2> /dev/null
cat > "$folder/stream.py" <<'P'
from datasets import Dataset

ROWS, TEST, EPOCHS = 1000, 100, 5


def stream(shards):
    return Dataset.from_dict({"row": list(range(ROWS))}).to_iterable_dataset(num_shards=shards)


def rows(part):
    return {row["row"] for row in part}


def trained_on(test, train):
    held, seen, counts = rows(test), set(), []
    for epoch in range(EPOCHS):
        train.set_epoch(epoch)
        found = rows(train)
        assert len(held) == TEST and len(found) == ROWS - TEST
        seen |= found
        counts.append(len(held & seen))
    return counts


for shards in (1, 10):
    shuffled = stream(shards).shuffle(seed=0, buffer_size=100)
    counts = trained_on(shuffled.take(TEST), shuffled.skip(TEST))
    print(f"shuffle, split, {shards} shard(s): test rows trained on up to epoch 0, 1, …: {counts}")
    assert counts[0] == 0 and counts[1] > 10 and counts[-1] > 50
    parts = stream(shards).take(TEST), stream(shards).skip(TEST).shuffle(seed=0, buffer_size=100)
    counts = trained_on(*parts)
    print(f"split, shuffle, {shards} shard(s): {counts}")
    assert not any(counts)
P
"$folder/venv/bin/python" "$folder/stream.py"

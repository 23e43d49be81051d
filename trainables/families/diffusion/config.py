"""`DiffusionConfig`: everything that decides a recursion of conformer models, flat, with defaults for a laptop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from trainables.families.base import Cost, Family, World
from trainables.families.batches import recounted, updates
from trainables.families.metrics import Metric
from trainables.families.starts import StartConfig
from trainables.runtime import require
from trainables.sources.molecules import ELEMENTS, MOLECULE_SOURCES, MoleculeSource, Nci

if TYPE_CHECKING:
    AnyMolecules = MoleculeSource
else:
    AnyMolecules = MOLECULE_SOURCES.union()

ATOM_TYPES = 3 * len(ELEMENTS)
"""An atom's type is its element and the sign of its formal charge."""

EDGE_TYPES = 8
"""Of an ordered pair of atoms: itself, four bond orders, two or three bonds apart, further."""

PER_REFERENCE = 2
"""Conformers sampled for each real one, as in the literature (Xu et al. 2021, section 5.1)."""

IN_FILE, ATOM = 8, 90.0
"""Molecules in the SD file, and bytes of an atom of a conformer there, its bonds included."""

DRAWN, DRAWING = 4, 12e3
"""Molecules in the picture, of which more can't be told apart on a page, and bytes of each."""

_LOSS = "denoising error per coordinate"


class DiffusionConfig(StartConfig):
    """Conformation generation given the molecular graph, in the manner of GeoDiff (Xu et al. 2022).

    A row is one conformer of one molecule. A synthetic row is a real training row's graph with sampled
    coordinates: row i of a batch has the graph of row i mod N of batch 0. Whole molecules are held out.

    `replicates: R` runs R recursions side by side, each on its own order of the real rows and with its own weights,
    batches and noise, fitted as one batched model.

    Attributes:
        start, checkpoint: where fits start, as in `StartConfig`.
        source: where the molecules come from.
        test_molecules: molecules held out, by content hash, the same for every seed; of data that does not hold as many
            and more, a fifth.
        validation_molecules: further ones held out for tuning, which are then not trained on.
        width: of an atom's state; `messages`: of an edge's; `layers`: of message passing; `radial`: Gaussians
            that describe a noisy distance.
        timesteps, schedule, beta_start, beta_end: forward process, in the words of `diffusers`.
        scale: ångström that one unit of the noise stands for, about a coordinate's standard deviation.
        epochs: passes over the corpus; `steps` fixes the number of updates instead, whatever the corpus.
        batch: rows of an update. `learning_rate`: peak, reached after `warmup` (share of all updates), then
            linear to zero. `clip`: largest norm of the gradient.
        sampler: `ddpm` adds noise at every step, `ddim` is deterministic given its start (Song et al. 2021).
        sampling_steps: of the reverse process; must divide `timesteps`. Few steps take variance off the samples of a
            perfect model too: of normal data with deviation `scale`/2, 50 steps of `ddpm` keep 79 % of it and 1000 keep
            98 %, with deviation `scale`/50 6 % and 67 %.
        noise_levels: at which the test loss is measured, evenly spread over the timesteps.
        judged_molecules: held-out molecules that are sampled for COV, MAT and the other geometry metrics.
        cov_threshold: RMSD in ångström below which a conformer counts as covered.
    """

    kind: Literal["diffusion"] = "diffusion"
    source: AnyMolecules = Nci()
    test_molecules: int = Field(default=150, ge=1)
    validation_molecules: int = Field(default=0, ge=0, exclude_if=lambda count: count == 0)
    width: int = Field(default=64, ge=4)
    messages: int = Field(default=32, ge=2)
    layers: int = Field(default=3, ge=1)
    radial: int = Field(default=8, ge=2)
    timesteps: int = Field(default=1000, ge=2)
    schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"] = "linear"
    beta_start: float = Field(default=1e-4, gt=0, lt=1)
    beta_end: float = Field(default=0.02, gt=0, lt=1)
    scale: float = Field(default=1.5, gt=0)
    epochs: float = Field(default=20.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=4e-3, gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)
    sampler: Literal["ddpm", "ddim"] = "ddpm"
    sampling_steps: int = Field(default=50, ge=1)
    noise_levels: int = Field(default=10, ge=1)
    judged_molecules: int = Field(default=24, ge=1)
    cov_threshold: float = Field(default=0.5, gt=0)

    own_data: ClassVar[Mapping[str, str]] = {
        ".sdf": "sdf",
        ".npz": "npz",
        ".smi": "smiles",
        ".smiles": "smiles",
        ".txt": "smiles",
        ".csv": "smiles",
    }
    policy_study: ClassVar[Mapping[str, int]] = {"rows": 400, "generations": 4}
    loss_unit: ClassVar[str] = _LOSS
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "constant_loss",
            "loss of a model that predicts no noise",
            _LOSS,
            role="uninformed",
        ),
        Metric("cov", "coverage of real conformers, COV-R", worse=-1, role="tail"),
        Metric("mat", "distance to real conformers, MAT-R", "Å", worse=1),
        Metric("cov_precision", "sampled conformers near a real one, COV-P", worse=-1, role="inside"),
        Metric("mat_precision", "distance of sampled conformers, MAT-P", "Å", worse=1),
        Metric("validity", "share of valid conformers", worse=-1, role="inside"),
        Metric("valid_bonds", "share of valid bonds", worse=-1),
        Metric("diversity", "distance between samples of one molecule", "Å", worse=-1, role="spread"),
        Metric("bond_distance", "Wasserstein distance of bond lengths", "Å", worse=1, when="where there are bonds"),
        Metric(
            "angle_distance",
            "Wasserstein distance of bond angles",
            "degrees",
            worse=1,
            when="where there are angles",
        ),
        Metric("gyration_ratio", "radius of gyration, sampled over real"),
        Metric("skipped", "entries that the source left out"),
        Metric("held_out_molecules", "held-out molecules", when="where they are fewer than asked for"),
    )
    vectorised: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    fit_version: ClassVar[int] = 3
    default_rows: ClassVar[int] = 500
    default_generations: ClassVar[int] = 5
    accelerated: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    data_fields: ClassVar[frozenset[str]] = frozenset({"source", "test_molecules", "validation_molecules"})
    sampling_fields: ClassVar[frozenset[str]] = frozenset({"sampler", "sampling_steps"})
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"noise_levels", "judged_molecules", "cov_threshold"})

    @model_validator(mode="after")
    def _possible(self) -> DiffusionConfig:
        if self.timesteps % self.sampling_steps:
            raise ValueError(f"sampling_steps: {self.sampling_steps} does not divide {self.timesteps} timesteps")
        if self.noise_levels > self.timesteps:
            raise ValueError(f"noise_levels: {self.noise_levels} levels of {self.timesteps} timesteps")
        if self.beta_end < self.beta_start:
            raise ValueError(f"beta_end: {self.beta_end} is below beta_start, {self.beta_start}")
        return self

    @classmethod
    def tiny(cls) -> tuple[DiffusionConfig, int]:
        source = Nci(limit=36, conformers=2, max_heavy_atoms=6)
        shape = {"width": 8, "messages": 8, "layers": 1, "epochs": 2.0, "timesteps": 20, "sampling_steps": 5}
        judged = {"test_molecules": 4, "judged_molecules": 2, "noise_levels": 4}
        return cls(source=source, beta_end=0.4, **shape, **judged), 12

    def check(self, rows: int, replicates: int) -> None:
        super().check(rows, replicates)
        if self.checkpoint is not None:
            from trainables.families.diffusion.fit import check_weights

            check_weights(self, self.checkpoint.folder())

    @property
    def conditioned(self) -> bool:
        return True

    @property
    def parameters(self) -> int:
        """Parameters of the denoiser."""
        w, m = self.width, self.messages
        message = w * m + m + w * m + (EDGE_TYPES + self.radial) * m + m + m * m + m + m
        update = (w + m) * w + w + w * w + w
        return ATOM_TYPES * w + (TIME_FEATURES * w + w + w * w + w) + self.layers * message + (self.layers - 1) * update

    def updates(self, rows: int) -> int:
        """Updates of a fit on `rows` rows."""
        return self.steps or updates(self.epochs, rows, self.batch)

    def fitted_on(self, rows: int) -> dict[str, Any]:
        return {} if self.steps else recounted(self.epochs, rows, self.batch)

    def data_identity(self) -> dict[str, Any]:
        return super().data_identity() | {"source": self.source.identity()}

    def size_label(self) -> str:
        return f"{self.parameters / 1e6:.2g}M"

    def available_rows(self) -> int:
        """Training rows there are at most: exact for SMILES, less where a file's entries prove unusable or where
        a held-out molecule has several conformers."""
        entries = self.source.entries()
        return max(0, entries - sum(self.held_out(entries))) * self.source.rows_each

    def held_out(self, molecules: int) -> tuple[int, int]:
        """Molecules held out to test and to tune on: as stated, or a fifth of what there is where that leaves none to
        train on.
        """
        tested, tuned = self.test_molecules, self.validation_molecules
        if molecules > tested + tuned:
            return tested, tuned
        return min(tested, molecules // 5), min(tuned, molecules // 5)

    def check_validation(self) -> None:
        if not self.validation_molecules:
            raise ValueError(
                "family.validation_molecules: 0; tuning needs molecules that are neither trained nor tested on, as in "
                "validation_molecules: 75"
            )

    def cost(self, rows: int) -> Cost:
        """Multiplications and additions of the dense layers; a fit's update is three forward passes."""
        atoms, m, w = self.source.typical_atoms, self.messages, self.width
        edge = 2.0 * (EDGE_TYPES + self.radial + 2 + m) * m
        node = 2.0 * (2 * w * m + (w + m) * w + w * w)
        forward = self.layers * (atoms**2 * edge + atoms * node)
        passes = self.steps * self.batch / rows if self.steps else self.epochs
        return Cost(
            parameters=self.parameters,
            fit_flops=3.0 * forward * passes,
            sample_flops=forward * self.sampling_steps,
            row_bytes=atoms * (12.0 + 2.0) + 1.05 * atoms * 6.0,
            tokens_per_row=atoms,
        )

    def shown_bytes(self) -> Sequence[float]:
        sampled = min(self.judged_molecules, IN_FILE) * PER_REFERENCE * self.source.rows_each
        return sampled * self.source.typical_atoms * ATOM, min(self.judged_molecules, DRAWN) * DRAWING

    def build(self, world: World) -> Family:
        require("diffusers", "family: diffusion")
        require("rdkit", "family: diffusion")
        from trainables.families.diffusion.family import Diffusion
        from trainables.families.diffusion.replicates import Diffusions

        return Diffusion(self, world) if world.replicates == 1 else Diffusions(self, world)


TIME_FEATURES = 17
"""Numbers that describe a timestep: itself, and sines and cosines of eight frequencies."""

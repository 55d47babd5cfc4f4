"""One visit to a cohort: samples are drawn, judged by the discriminators, and measured run by run."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.cohort import Cohort
from stability.records import Evaluation


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit looks at, for all runs of a cohort."""

    cohort: Cohort
    evaluator: Evaluator
    images: Float[Tensor, "members n c h w"]
    labels: Int64[Tensor, " n"] | None
    real_logits: Float[Tensor, "members m"]
    fake_logits: Float[Tensor, "members k"]

    def evaluate(self, k: int) -> Evaluation:
        """Measure the samples of the cohort's k-th run."""
        run = self.cohort.runs[k]
        return self.evaluator.evaluate(
            self.images[k],
            run=run.run,
            step=self.cohort.step,
            real_logits=self.real_logits[k],
            fake_logits=self.fake_logits[k],
            labels=self.labels,
            train_size=run.config.train_size,
        )


def visit(cohort: Cohort, evaluator: Evaluator, n: int) -> Visit:
    """Draw n samples of every run, and judge as many as a usual visit takes, beside held-out images."""
    images, labels = cohort.samples(n), cohort.asked_labels(n)
    held_out = evaluator.held_out
    judged = min(evaluator.samples, len(held_out))
    return Visit(
        cohort,
        evaluator,
        images,
        labels,
        real_logits=cohort.real_logits(held_out, evaluator.held_out_labels),
        fake_logits=cohort.logits(images[:, :judged], None if labels is None else labels[:judged]),
    )

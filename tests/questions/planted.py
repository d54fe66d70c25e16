"""Material with a known answer: differences of pairs as a model would give them, and the evidence made of them."""

import numpy as np

from xlv.questions.claims.ledger import Evidence
from xlv.questions.consistency.cosines import half_cosines
from xlv.questions.recognition.accuracy import cross_validated, jackknifed
from xlv.statistics.resampling import Estimate, bootstrap_weights, deviations

N_LANGUAGES, N_PAIRS, N_LAYERS, WIDTH = 8, 32, 3, 20
GROUPS = np.arange(N_PAIRS) // 2
N_DOMINANT = 2
WILD = 0.75


def noise(generator: np.random.Generator, n: int = N_LANGUAGES) -> np.ndarray:
    """Differences `[language, pair, layer, d]` without a concept: content that translations share, and noise."""
    shared = generator.normal(size=(1, N_PAIRS, N_LAYERS, WIDTH))
    grouped = generator.normal(size=(n, N_PAIRS // 2, N_LAYERS, WIDTH)).repeat(2, axis=1)
    return 0.7 * shared + 0.5 * grouped + 0.7 * generator.normal(size=(n, N_PAIRS, N_LAYERS, WIDTH))


def concept(generator: np.random.Generator, *, shared: float, own: float = 0.0, n: int = N_LANGUAGES) -> np.ndarray:
    """Noise and a concept at the second layer: a direction of all languages, and one of each language's own."""
    differences = noise(generator, n)
    differences[:, :, 1, 0] += shared
    for language in range(n):
        differences[language, :, 1, 1 + language] += own
    return differences


def one_way(generator: np.random.Generator, *, downwards: bool = True, n: int = 16) -> np.ndarray:
    """A shared concept, of which poorer languages hold a few wild pairs: their vectors suffer, their pairs hardly do.

    So a rich language's vector reads a poor one well and not the other way round; `downwards=False` turns it over.
    """
    differences = concept(generator, shared=2.6, n=n)
    for language in range(n):
        rank = language if downwards else n - 1 - language
        wild = generator.choice(N_PAIRS, size=4, replace=False)
        differences[language, wild] += WILD * rank * generator.normal(size=(4, N_LAYERS, WIDTH))
    return differences


def evidence(generator: np.random.Generator, make, *, n_concepts: int = 2, **options) -> Evidence:
    """What the claims are judged on, from `n_concepts` concepts that `make` gives; surface baselines at chance."""
    points, samples, halves, surface = [], [], [], []
    for c in range(n_concepts):
        differences = make(generator, **options)
        layers = [differences[:, :, k] for k in range(N_LAYERS)]
        found = cross_validated(layers, GROUPS, n_partitions=3)
        points.append(found.chosen)
        left_out = jackknifed(lambda k, of=layers: of[k - 1], found, GROUPS).replicates
        samples.append(found.chosen + deviations(left_out, seed=c))
        halves.append(half_cosines(layers[int(np.median(found.layer)) - 1], GROUPS, n_splits=100))
        hits = (generator.uniform(size=(len(layers[0]), N_PAIRS)) < 0.5).astype(float)
        surface.append(bootstrap_weights(GROUPS, seed=c) @ hits.T)
    ranks = np.arange(len(points[0]))
    return Evidence(
        accuracy=Estimate(np.mean(points, axis=0), np.mean(samples, axis=0)),
        surface=Estimate(np.mean(surface, axis=(0, 1)), np.mean(surface, axis=0)),
        corrected=np.mean([h.mean for h in halves], axis=0),
        reliability=np.mean([h.reliability for h in halves], axis=0),
        consistency=np.mean([h.corrected for h in halves], axis=0),
        similarity={kind: similarity(generator, len(ranks)) for kind in ("a", "b", "c", "d")},
        ranks=ranks,
        dominant=ranks < N_DOMINANT,
    )


def similarity(generator: np.random.Generator, n: int) -> np.ndarray:
    """A symmetric matrix of similarities that mean nothing."""
    matrix = generator.uniform(size=(n, n))
    return (matrix + matrix.T) / 2

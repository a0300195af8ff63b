"""Shared rules against another implementation: evostrat's mixture, by PyTorch's autodiff.

Neither is a dependency; where they are missing the test is skipped.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hebbax.genomes.shared import SharedRules
from hebbax.policies.hebbian import Hebbian
from hebbax.strategies.score_function import score_gradient
from small_task import Cart

torch = pytest.importorskip(
    "torch",
    reason="torch is not installed: pip install torch evostrat to compare the mixture with "
    "evostrat's",
)
evostrat = pytest.importorskip(
    "evostrat",
    reason="evostrat is not installed: pip install torch evostrat to compare the mixture with "
    "evostrat's",
)

STD = 0.3


@pytest.mark.parametrize("num_rules", [1, 3, 14])
def test_densities_and_gradients_are_those_of_evostrat(num_rules: int):
    """On evostrat's samples, log-densities and mean gradient agree to 1e-5 of the largest.

    Mutation: softmax's part of the gradient left out.
    """
    torch.manual_seed(0)
    genome = SharedRules(num_rules=num_rules, sharpness=1.0).init(
        jax.random.key(0), Hebbian(hidden_sizes=(3, 2)).parameters(Cart())
    )
    genome = genome.with_std(jnp.asarray(STD))
    num_synapses = genome.logits.shape[0]

    theirs = evostrat.GaussianMixturePopulation(
        {"rules": torch.Size((num_synapses,))},
        torch.Size((num_rules, 5)),
        lambda individual: individual["rules"],
        std=STD,
    )
    with torch.no_grad():
        theirs.mixing_logits["rules"].copy_(torch.tensor(np.asarray(genome.logits).tolist()))
        theirs.component_means.copy_(torch.tensor(np.asarray(genome.rules).tolist()))
    samples, log_probs = zip(*theirs.sample(6), strict=True)
    logits_gradient, rules_gradient = torch.autograd.grad(sum(log_probs) / 6, theirs.parameters())

    genotypes = jax.vmap(genome.layout.to_genotype)(
        jnp.asarray([sample.tolist() for sample in samples], jnp.float32)
    )
    np.testing.assert_allclose(
        genome.log_probs(genotypes), [log_prob.item() for log_prob in log_probs], rtol=1e-5
    )
    ours = score_gradient(genome, genotypes, jnp.ones(6))
    for gradient, expected in ((ours.logits, logits_gradient), (ours.rules, rules_gradient)):
        expected = np.asarray(expected.tolist())
        np.testing.assert_allclose(
            gradient, expected, rtol=0, atol=1e-5 * max(np.max(np.abs(expected)), 0.1)
        )

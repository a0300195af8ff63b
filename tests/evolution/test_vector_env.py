"""Tasks as gymnasium's vector environments: the steps of a plain loop, and gymnasium's contract."""

from typing import Any

import jax
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils import seeding  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402
from gymnasium.wrappers import vector as wrappers  # noqa: E402

from hebbax.evolution.vector_env import VectorEnv  # noqa: E402
from hebbax.tasks import CarRacing, Point  # noqa: E402
from small_task import NEVER, Cart  # noqa: E402

SEED = 3
# Episodes of "medium" end with their second step; others leave the track or reach the limit.
TASK = Cart(max_steps=5, last_steps=(NEVER, 2, NEVER))
NAMES = ("light", "medium", "heavy")
PUSHES = 3.0 * np.random.default_rng(0).standard_normal((24, 3, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def envs() -> VectorEnv:
    """Three carts, which two devices share unevenly."""
    return VectorEnv(TASK, 3, NAMES)


def played(envs: Any, seed: int | None, pushes: np.ndarray = PUSHES) -> list[np.ndarray]:
    """Observations, rewards, terminations and truncations, with those of the reset first."""
    observations, infos = envs.reset(seed=seed)
    assert infos == {}
    num = len(observations)
    steps = [(observations, np.zeros(num), np.zeros(num, bool), np.zeros(num, bool))]
    for actions in pushes:
        *outcome, infos = envs.step(actions)
        steps.append(tuple(outcome))
        assert infos == {}
    return [np.stack(column) for column in zip(*steps, strict=True)]


def looped(lane: int) -> list[np.ndarray]:
    """One environment's part of the same, step by step in Python."""
    variation = TASK.variations[NAMES[lane]]
    key = jax.random.key(int(seeding.np_random(SEED)[0].integers(2**31)))
    key = jax.random.fold_in(key, lane)
    episode, num_steps, is_over = 0, 0, False
    reset, step = jax.jit(TASK.reset), jax.jit(TASK.step)
    state, observation = reset(jax.random.fold_in(key, episode), variation)
    steps = [(observation, 0.0, False, False)]
    for push in PUSHES[:, lane]:
        if is_over:
            episode, num_steps, is_over = episode + 1, 0, False
            state, observation = reset(jax.random.fold_in(key, episode), variation)
            steps.append((observation, 0.0, False, False))
            continue
        state, observation, reward, is_end = step(state, push, variation)
        num_steps += 1
        is_cut = num_steps == TASK.max_steps
        is_over = is_cut or bool(is_end)
        steps.append((observation, reward, is_over and not is_cut, is_cut))
    return [np.stack(column) for column in zip(*steps, strict=True)]


def test_steps_are_those_of_a_loop(envs: VectorEnv):
    """Many episodes of each environment, each with its key and its variation.

    Mutations: the first key for every episode; a reset in the step of the end; the variation of
    the neighbour; truncations that count as terminations; steps of the last episode that count.
    """
    assert envs.variations == NAMES
    for lane in range(3):
        own = [column[:, lane] for column in played(envs, SEED)]
        for ours, expected in zip(own, looped(lane), strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-6)
    _, _, terminations, truncations = played(envs, SEED)
    assert np.sum(terminations, axis=0).tolist()[1] == 8
    assert np.any(terminations[:, [0, 2]])
    assert np.any(truncations)
    assert not np.any(terminations & truncations)


def test_seeds_repeat_episodes(envs: VectorEnv):
    """An environment's episodes do not depend on how many environments there are."""
    first = played(envs, SEED)
    assert all(map(np.array_equal, first, played(envs, SEED)))
    assert not np.array_equal(first[0], played(envs, None)[0])
    assert not np.array_equal(first[0], played(envs, SEED + 1)[0])
    fewer = played(VectorEnv(TASK, 2, NAMES[:2], seed=SEED), None, PUSHES[:, :2])
    for of_two, of_three in zip(fewer, first, strict=True):
        np.testing.assert_allclose(of_two, of_three[:, :2], atol=1e-6)


def test_only_steps_after_an_end_reset(envs: VectorEnv, monkeypatch: pytest.MonkeyPatch):
    """Such a step draws as many different episodes as begin."""
    calls: list[set[tuple[int, int]]] = []
    start = envs._start

    def started(key: Any, lanes: Any, episodes: Any, data: Any) -> Any:
        calls.append({*zip(lanes.tolist(), episodes.tolist(), strict=True)})
        return start(key, lanes, episodes, data)

    monkeypatch.setattr(envs, "_start", started)
    _, _, terminations, truncations = played(envs, SEED)
    ends = np.sum(terminations | truncations, axis=1)[:-1]
    assert [len(call) for call in calls] == [3, *ends[ends > 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_ends_an_episode(envs: VectorEnv, bad: float):
    """Action or reward: the reward is not a number, and the next step begins another episode."""
    actions = np.array([[0.0], [0.0], [bad]])
    envs.reset(seed=0)
    _, rewards, terminations, truncations, _ = envs.step(actions)
    assert np.isnan(rewards).tolist() == terminations.tolist() == [False, False, True]
    assert not np.any(truncations)
    observations, rewards, *_ = envs.step(np.nan_to_num(actions, posinf=0.0))
    assert np.all(np.isfinite(rewards))
    assert np.all(np.isfinite(observations))

    broken = VectorEnv(Cart(broken_steps=(1, NEVER, NEVER)), 1, "light")
    broken.reset()
    _, rewards, terminations, _, _ = broken.step(np.zeros((1, 1)))
    assert np.isnan(rewards).tolist() == terminations.tolist() == [True]


def test_arrays_are_the_callers(envs: VectorEnv):
    """They can be written to, and later steps do not change them."""
    observations, _ = envs.reset(seed=0)
    kept = observations.copy()
    for array in envs.step(PUSHES[0])[:4]:
        array[:] = 0
    assert np.array_equal(observations, kept)
    assert np.all(envs.step(0 * PUSHES[0])[0][:, 0] != 0)


def test_spaces():
    """Those of a plain task, and of the racer with what it sees and with what it senses."""
    envs = VectorEnv(Point(), 2)
    observations, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    assert envs.action_space.shape == (2, 2)
    assert envs.single_action_space == gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    assert not envs.single_observation_space.is_bounded()

    pixels, numbers = (
        VectorEnv(task, 2) for task in (CarRacing(is_squashed=False), CarRacing(view="state"))
    )
    assert not numbers.single_action_space.is_bounded()
    # The action space of gymnasium's CarRacing-v3.
    low, high = np.array([-1, 0, 0], np.float32), np.array([1, 1, 1], np.float32)
    assert pixels.single_action_space == gymnasium.spaces.Box(low, high, dtype=np.float32)
    assert pixels.single_observation_space == gymnasium.spaces.Box(0.0, 1.0, (84, 84, 3))
    assert pixels.observation_space.shape == (2, 84, 84, 3)
    assert numbers.single_observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (48,))


def test_gymnasiums_wrappers_take_it(envs: VectorEnv):
    """Statistics of episodes are those of the steps; one wrapper takes no other mode than ours."""
    assert envs.metadata == {"autoreset_mode": AutoresetMode.NEXT_STEP}
    assert repr(envs) == "VectorEnv(num_envs=3)"
    _, rewards, terminations, truncations = played(envs, SEED)
    end = np.argmax((terminations | truncations)[:, 0])
    wrapped = wrappers.NormalizeObservation(wrappers.RecordEpisodeStatistics(envs))
    wrapped.reset(seed=SEED)
    for actions in PUSHES[:end]:
        *_, infos = wrapped.step(actions)
    assert infos["episode"]["l"][0] == end
    np.testing.assert_allclose(infos["episode"]["r"][0], np.sum(rewards[: end + 1, 0]), rtol=1e-5)


def test_the_racer_gets_a_new_road():
    """In the step after the last of an episode."""
    envs = VectorEnv(CarRacing(view="state", episode_steps=2), 2)
    envs.reset(seed=0)
    lengths = [envs._state.track.length.tolist()]
    for _ in range(3):
        _, rewards, *ends, _ = envs.step(np.zeros((2, 3)))
        lengths.append(envs._state.track.length.tolist())
    assert lengths[0] == lengths[2]
    assert len({*lengths[0], *lengths[3]}) == 4
    assert rewards.tolist() == [0.0, 0.0]
    assert not np.any(ends)


def test_what_does_not_fit_is_refused(envs: VectorEnv):
    with pytest.raises(ValueError, match="num_envs is 0, but must be 1 or more"):
        VectorEnv(TASK, 0)
    for names in ("icy", ("light", "icy"), (), (*NAMES, "light"), 1):
        with pytest.raises(ValueError, match=r"variation is .*, but must be one of light, medium"):
            VectorEnv(TASK, 3, names)  # pyright: ignore[reportArgumentType]
    with pytest.raises(gymnasium.error.ResetNeeded, match="step comes before reset"):
        VectorEnv(TASK, 3, "light").step(PUSHES[0])
    envs.reset()
    with pytest.raises(ValueError, match=r"actions has shape \(3,\), but must have \(3, 1\)"):
        envs.step(np.zeros(3))
    with pytest.raises(ValueError, match=r"options is {'reset_mask': True}, but must be None"):
        envs.reset(options={"reset_mask": True})
    for seed, words in ((-1, "seed is -1, but must be 0 or more"), (True, "seed is True")):
        with pytest.raises(ValueError, match=words):
            envs.reset(seed=seed)
    envs.reset(seed=np.int64(3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="task is the class CarRacing, but must be an object"):
        VectorEnv(CarRacing, 2)  # pyright: ignore[reportArgumentType]


def test_unused_donations_say_nothing(recwarn: pytest.WarningsRecorder):
    """An odd number on two devices, or one environment on one of them."""
    for num_envs in (1, 3):
        envs = VectorEnv(Point(episode_steps=1), num_envs)
        envs.reset(seed=0)
        for _ in range(2):
            envs.step(np.zeros((num_envs, 2)))
    assert not recwarn.list

"""What is known not to go together is found, and what to do is said."""

from pathlib import Path

import jax
import pytest

from hebbax.evolution import doctor, environment

REAL_VERSION, REAL_EXAMINATION = environment.version_of, doctor._examine_cache


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Versions of packages that stand in for the installed ones; None for one that is not there."""
    planted: dict[str, str | None] = dict.fromkeys(doctor.CUDA)
    monkeypatch.setattr(doctor, "version_of", lambda name: planted.get(name, REAL_VERSION(name)))
    return planted


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versions: dict) -> Path:
    """An environment as it should be, whatever that of the tests is, and its cache.

    It has no GPU, and none of the variables that bend programs.
    """
    for name in ("JAX_PLATFORMS", "NPROC", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "_has_gpu", lambda: False)
    cache = tmp_path / "deep" / "cache"
    plant_cache(monkeypatch, str(cache))
    return cache


def plant_cache(monkeypatch: pytest.MonkeyPatch, place: str | None) -> None:
    """Lets the doctor see another cache than that of the tests, which JAX has open."""
    monkeypatch.setattr(doctor, "_examine_cache", lambda _: REAL_EXAMINATION(place))


def test_tests_themselves_are_healthy(healthy: Path):
    """Everything is named, nothing is wrong, and nothing but the cache's folder is written."""
    facts, faults = doctor.examine()
    assert faults == []
    assert list(facts) == [
        *("Python", *doctor.PACKAGES),
        *("backend", "devices", "cores", "memory", "cache of programs"),
    ]
    assert facts["jax"] == jax.__version__
    assert facts["devices"] == "2 x cpu"
    assert facts["cache of programs"] == f"{healthy}, 0 MiB, writable"
    assert list(healthy.iterdir()) == []


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        ({"jaxlib": "0.11.2"}, "jaxlib is 0.11.2, but hebbax needs "),
        ({"jax": "0.99.0"}, "jax is 0.99.0, but hebbax needs "),
        ({"mujoco-mjx": "4.0.0"}, "mujoco-mjx is 4.0.0, but hebbax needs <4,>=3.17: pip install "),
        ({"brax": "0.15.0"}, "brax is 0.15.0, but hebbax needs "),
        ({"mujoco": "2.0.0"}, "mujoco is 2.0.0, but mujoco-mjx needs "),
        ({"evosax": None}, "evosax is not installed, but hebbax needs it: pip install 'evosax"),
        ({"gymnax": "0.0.9"}, "gymnax is 0.0.9, but hebbax needs <2,>=1.0: pip install 'gymnax"),
        (
            {"gymnax": "1.0.1", "six": None},
            "six is not installed, but gymnax imports it without declaring it: pip install "
            "'hebbax[gymnax]'",
        ),
        (
            {"jax": "0.10.2", "jaxlib": "0.10.2", "jax-cuda12-plugin": "0.10.1"},
            "jax-cuda12-plugin is 0.10.1, but must be 0.10.2 as jaxlib is: pip install "
            "'jax[cuda12]==0.10.2'",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_versions_that_do_not_go_together(
    versions: dict[str, str | None], planted: dict[str, str | None], words: str
):
    """Each has its line, once. Mutation: only what hebbax itself asks for."""
    versions.update(planted)
    faults = doctor.examine().faults
    assert len([fault for fault in faults if words in fault]) == 1, faults
    assert len(set(faults)) == len(faults)


def test_patch_of_the_compiler_goes_with_the_plugin(versions: dict[str, str | None]):
    """A fourth number is a repair of jaxlib, which the plugin does not have."""
    versions.update({"jaxlib": "0.12.0.1", "jax-cuda12-plugin": "0.12.0"})
    assert not any("plugin" in fault for fault in doctor.examine().faults)


def test_extras_that_are_not_installed_are_no_fault(versions: dict[str, str | None]):
    versions.update({"gymnax": None, "six": None, "submitit": None, "imageio": None})
    facts, faults = doctor.examine()
    assert facts["gymnax"] == "not installed"
    assert faults == []


def test_python_that_a_package_does_not_know(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.1")
    faults = doctor.examine().faults
    assert any(
        fault.startswith("Python is 3.9.1, but jax ")
        and fault.endswith("pip install --force-reinstall jax takes one for this Python")
        for fault in faults
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"XLA_FLAGS": "--xla_fast"}, "XLA_FLAGS is '--xla_fast', but should not be set"),
        ({"NPROC": "2"}, "NPROC is 2, but must be above 2, the number of devices"),
    ],
)
def test_variables_that_bend_programs(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
):
    """NPROC that is large enough is none of them. Mutation: any that is set."""
    monkeypatch.setenv("NPROC", "4")
    assert doctor.examine().faults == []
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    [fault] = doctor.examine().faults
    assert words in fault
    assert fault.endswith(f"unset {next(iter(variables))}")


def test_numbers_of_64_bits():
    with jax.enable_x64(True):
        [fault] = doctor.examine().faults
    assert fault.startswith("jax_enable_x64 is True, but must be False")


def test_gpu_that_is_not_used(monkeypatch: pytest.MonkeyPatch):
    """Because JAX has no package for it, or because JAX was told so."""
    monkeypatch.setattr(doctor, "_has_gpu", lambda: True)
    words = "the backend is cpu, but should be gpu, for there is an NVIDIA GPU: "
    assert doctor.examine().faults == [f"{words}pip install 'hebbax[cuda]'"]
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert doctor.examine().faults == [f"{words}unset JAX_PLATFORMS"]


def test_backend_that_does_not_start(monkeypatch: pytest.MonkeyPatch):
    """The rest is looked at all the same."""

    def fail() -> str:
        raise RuntimeError("Unable to initialize backend 'cuda'\nand more")

    monkeypatch.setattr(jax, "default_backend", fail)
    facts, [fault] = doctor.examine()
    assert facts["devices"] == "none"
    assert "cache of programs" in facts
    assert fault.startswith("JAX starts no backend (Unable to initialize backend 'cuda'), but")


def test_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A file stands where the folder should be, which keeps an administrator out, too."""
    (tmp_path / "file").write_text("")
    plant_cache(monkeypatch, str(tmp_path / "file" / "cache"))
    facts, [fault] = doctor.examine()
    assert facts["cache of programs"] == f"{tmp_path / 'file' / 'cache'}, not writable"
    assert "must be a folder that can be written (Not a directory)" in fault
    assert fault.endswith("name another one in JAX_COMPILATION_CACHE_DIR")


@pytest.mark.parametrize(
    ("place", "fact"),
    [(None, "switched off"), ("gs://bucket/cache", "gs://bucket/cache, not looked into")],
)
def test_cache_that_is_elsewhere(monkeypatch: pytest.MonkeyPatch, place: str | None, fact: str):
    plant_cache(monkeypatch, place)
    facts, faults = doctor.examine()
    assert (facts["cache of programs"], faults) == (fact, [])

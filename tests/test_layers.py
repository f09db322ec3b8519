"""What holds of the package as a whole: layers, light imports, no pickle, no method overridden."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import kinema

SOURCE = Path(kinema.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.py"))
MODULES = sorted(module.name for module in pkgutil.walk_packages(kinema.__path__, "kinema."))
PACKAGES = [name for name in MODULES if hasattr(importlib.import_module(name), "__all__")]


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_layers_hold():
    pytest.importorskip("importlinter")
    root = SOURCE.parents[1]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("the contract is in pyproject.toml, which is not installed")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_import_and_the_list_of_commands_are_light():
    code = "import sys, kinema, kinema.cli; kinema.cli.main([]); print(*sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = run(code).splitlines()[-1].split()
    assert not {"torch", "numpy", "av", "scipy", "accelerate", "tyro", "rich"} & set(loaded)


@pytest.mark.parametrize("name", PACKAGES)
def test_exports_exist_and_say_what_they_are(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    for export in module.__all__:
        if export == "__version__":
            continue
        value = getattr(module, export)
        if inspect.isclass(value) or inspect.isfunction(value):
            own = value.__doc__ if inspect.isclass(value) else inspect.getdoc(value)
            # a dataclass without a docstring is given its signature as one
            assert own, f"{name}.{export} has no docstring"
            assert not own.startswith(f"{export}("), f"{name}.{export} has no docstring"


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_pickled(path):
    tree = ast.parse(path.read_text())
    assert not list(calls(tree, "torch.save", "pickle.load", "pickle.loads", "pickle.dump", "pickle.dumps"))
    for call in calls(tree, "torch.load"):
        assert any(k.arg == "weights_only" and getattr(k.value, "value", None) is True for k in call.keywords)
    for call in calls(tree, "np.load", "numpy.load"):
        assert not any(k.arg == "allow_pickle" and getattr(k.value, "value", None) is not False for k in call.keywords)


def test_no_drawer_for_everything():
    assert not [path for path in FILES if path.stem in ("utils", "util", "helpers", "misc", "common")]


def concrete(cls):
    """Methods and properties that a class itself implements."""
    for name, value in vars(cls).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(function) and not getattr(value, "__isabstractmethod__", False) and not name.startswith("__"):
            yield name


def classes():
    for name in MODULES:
        for value in vars(importlib.import_module(name)).values():
            if inspect.isclass(value) and value.__module__ == name:
                yield value


@pytest.mark.parametrize("cls", [cls for cls in classes() if len(cls.__mro__) > 2], ids=lambda cls: cls.__qualname__)
def test_no_concrete_method_is_overridden(cls):
    for base in cls.__mro__[1:]:
        if base.__module__.startswith("kinema.") and not getattr(base, "_is_protocol", False):
            assert not set(concrete(cls)) & set(concrete(base)), f"{cls.__name__} overrides what {base.__name__} does"

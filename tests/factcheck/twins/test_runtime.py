"""Runtimes chosen by name give the model's outputs."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from factcheck.errors import InputError
from factcheck.twins.runtime import optimize
from factcheck.twins.twins import Twins


@pytest.fixture
def model() -> Twins:
    torch.manual_seed(0)
    # two stages hold every kind of layer, and compilers take their time for each
    network = Twins(
        embed_dims=(8, 16),
        num_heads=(1, 2),
        depths=(2, 1),
        mlp_ratios=(2, 2),
        sr_ratios=(4, 2),
        windows=(7, (3, 4)),
        num_classes=5,
    )
    with torch.no_grad():
        for p in network.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    return network.train()


def check(model, runtime, batches):
    fast = optimize(model, runtime, torch.randn(1, 3, 68, 57))
    for batch in batches:
        x = torch.randn(batch, 3, 68, 57)
        out = fast(x)
        assert not out.requires_grad
        torch.testing.assert_close(out, model.eval()(x), rtol=1e-4, atol=1e-4)


def test_eager_leaves_the_model_alone(model):
    state = {n: t.clone() for n, t in model.state_dict().items()}
    fast = optimize(model)
    assert model.training
    assert all(p.requires_grad and p.is_contiguous() for p in model.parameters())
    assert not fast.training
    check(model, "eager", (1, 3))
    assert all(t.equal(state[n]) for n, t in model.state_dict().items())


@pytest.mark.slow
def test_compile(model):
    check(model, "compile", (2,))


@pytest.mark.slow
def test_one_compiled_graph_takes_any_batch_of_a_size_and_each_size_has_its_own(model):
    # Whether a size is open shows before code is made, which takes minutes for each graph.
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(model.eval(), backend=counter)
    with torch.no_grad():
        for batch in (2, 3, 5):
            x = torch.randn(batch, 3, 64, 40)
            torch._dynamo.mark_dynamic(x, 0)
            torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-4)
        assert counter.frame_count == 1
        fixed = torch.compile(model, backend=counter, dynamic=False)
        for size in ((64, 40), (57, 68)):
            x = torch.randn(2, 3, *size)
            torch.testing.assert_close(fixed(x), model(x), rtol=1e-4, atol=1e-4)
    assert counter.frame_count == 3


@pytest.mark.slow
def test_onnxruntime_takes_any_batch(model):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    check(model, "onnxruntime", (1, 3))


@pytest.mark.slow
def test_openvino_takes_any_batch(model):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    check(model, "openvino", (1, 3, 8, 1))  # fewer than threads, unequal and equal parts


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_an_exported_network_names_a_wrong_input_and_serves_several_threads(model, runtime):
    pytest.importorskip(runtime)
    pytest.importorskip("onnxscript")
    fast = optimize(model, runtime, torch.randn(1, 3, 68, 57))
    for wrong in (torch.randn(1, 3, 68, 64), torch.randn(1, 1, 68, 57), torch.randn(1, 3, 68, 57).double()):
        with pytest.raises(InputError, match=r"takes \(B, 3, 68, 57\) float32 on the CPU, found"):
            fast(wrong)
    inputs = [torch.randn(2, 3, 68, 57) for _ in range(12)]
    expected = [model.eval()(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for out, truth in zip(pool.map(fast, inputs), expected, strict=True):
            torch.testing.assert_close(out, truth, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_compiled_model_heeds_autocast(model):
    compiled = optimize(model, "compile")
    compiled.model = model.eval()  # what would be compiled: here only the switch around it matters
    with torch.autocast("cpu", torch.bfloat16):
        assert compiled(torch.randn(1, 3, 68, 57)).dtype == torch.bfloat16


def test_an_optimised_model_stays_in_evaluation_and_says_what_it_cannot_do(model):
    fast, x = optimize(model), torch.randn(2, 3, 68, 57)
    expected = fast(x)
    assert torch.equal(fast.train()(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(fast(x), expected)
    for attempt in (copy.deepcopy, pickle.dumps, lambda m: m.double(), lambda m: m.state_dict()):
        with pytest.raises(InputError, match="optimise again"):
            attempt(fast)
    with pytest.raises(InputError, match="optimised already"):
        optimize(fast)
    with pytest.raises(InputError, match=r"takes a torch\.nn\.Module, found NoneType"):
        optimize(None)


def test_hooks_survive(model):
    model.eval().blocks[0][0].attn.proj.register_forward_hook(lambda _, __, out: 2 * out)
    check(model, "eager", (2,))


def test_no_images(model):
    assert optimize(model)(torch.zeros(0, 3, 68, 57)).shape[0] == 0


@pytest.mark.slow
def test_export_with_any_batch(model):
    program = torch.export.export(
        model.eval(), (torch.randn(2, 3, 68, 57),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    x = torch.randn(4, 3, 68, 57)
    torch.testing.assert_close(program.module()(x), model(x), rtol=1e-5, atol=1e-5)


def test_mistakes_are_named(model):
    with pytest.raises(
        InputError, match="`runtime` is 'tensorrt', expected one of eager, compile, onnxruntime, openvino"
    ):
        optimize(model, "tensorrt")
    for runtime in ("onnxruntime", "openvino"):
        with pytest.raises(InputError, match=f"'{runtime}' needs example"):
            optimize(model, runtime)

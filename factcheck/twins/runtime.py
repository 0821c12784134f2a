"""Faster ways to run a trained network, chosen by name, with equal outputs.

:func:`optimize` turns a module that maps one tensor to one tensor into another that does the same, for inference
only, on PyTorch itself (``eager``), its compiler (``compile``), ONNX Runtime (``onnxruntime``, the ``onnx`` extra) or
OpenVINO (``openvino``, the extra of that name).
"""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.twins.blocks import GlobalSubsampledAttention, Mlp
from factcheck.twins.kernels import PackedLinear, can_pack, even_part, hooked
from factcheck.twins.lsa import LocallyGroupedSelfAttention
from retrieval.arguments import checked_choice
from retrieval.lazy import need_extra

__all__ = ["RUNTIMES", "OnnxModule", "OpenVinoModule", "export_onnx", "optimize", "packed_copy"]

Module = TypeVar("Module", bound=nn.Module)

RUNTIMES = ("eager", "compile", "onnxruntime", "openvino")
"""Names that :func:`optimize` takes."""

_PACKAGES = {
    "onnxruntime": ("onnx", ("onnx", "onnxruntime", "onnxscript")),
    "openvino": ("openvino", ("onnx", "openvino", "onnxscript")),
}


def optimize(model: nn.Module, runtime: str = "eager", example: Tensor | None = None) -> nn.Module:
    """A copy of ``model`` for inference on the runtime of that name.

    Args:
        model: maps (B, ...) to (B, ...); its own training state is left alone.
        runtime: ``"eager"``: frozen, weights laid out for the kernels (on the CPU such a model cannot be moved or
            saved). ``"compile"``: TorchInductor; compiles at the first call for a shape, for
            as many shapes as PyTorch's ``recompile_limit`` allows (8), others run uncompiled. ``"onnxruntime"``: exported
            once, for any batch size at the example's image size. ``"openvino"``: exported in the same way, planned
            anew for each batch size.
        example: an input (B, ...) on the device to run on; needed for ``"onnxruntime"`` and ``"openvino"``.

    Returns:
        A module in evaluation mode whose outputs equal the model's within 1e-4 (float32) and record no gradients.

    Raises:
        InputError: unknown runtime, no example where one is needed, or a package is missing.
    """
    checked_choice("runtime", runtime, RUNTIMES)
    if not isinstance(model, nn.Module):
        raise InputError(f"optimize takes a torch.nn.Module, found {type(model).__name__}")
    if any(isinstance(part, (_NoGrad, OnnxModule, OpenVinoModule)) for part in model.modules()):
        raise InputError("this model has been optimised already; optimise the one it was made from")
    if runtime == "eager":
        return _NoGrad(packed_copy(model)).eval()
    model = _freeze(model)
    if runtime == "compile":
        return _NoGrad(cast(nn.Module, torch.compile(model, dynamic=False))).eval()
    extra, packages = _PACKAGES[runtime]
    if example is None:
        raise InputError(f"runtime {runtime!r} needs example, an input of the size to be run, to export the model")
    need_extra(extra, *packages, what=f"runtime {runtime!r}", field="runtime")
    with tempfile.TemporaryDirectory() as folder:
        path = export_onnx(model, Path(folder) / "model.onnx", example)
        return (OnnxModule(path) if runtime == "onnxruntime" else OpenVinoModule(path)).eval()


def packed_copy(model: Module) -> Module:
    """A copy in evaluation mode that computes the same, weights laid out for the kernels; for inference only, see :func:`optimize`."""
    return cast(Module, _pack(_freeze(model)))


def export_onnx(model: nn.Module, path: str | Path, example: Tensor) -> Path:
    """Write ``model`` as one ONNX file with input ``images`` and output ``output``, for any batch size.

    Args:
        model: in evaluation mode.
        path: file to write.
        example: (B, ...) input; every dimension but the first is fixed to its size.
    """
    example = example[:1].expand(2, *example.shape[1:]).contiguous()  # a batch of 1 would be taken as a constant
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=["images"],
                output_names=["output"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=20,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert program is not None  # with dynamo=True
    path = Path(path)
    program.save(str(path), external_data=False)
    return path


class OnnxModule(nn.Module):
    """A network run by ONNX Runtime on the CPU, with as many threads as PyTorch uses.

    Args:
        path: an ONNX file with one input and one output.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self._shape = tuple(self.session.get_inputs()[0].shape)[1:]

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) float32 on the CPU -> the network's output.

        Raises:
            InputError: not float32 on the CPU, or of another size than the network was exported for.
        """
        _check_exported_input(x, self._shape)
        return torch.from_numpy(self.session.run(None, {self.input: x.detach().contiguous().numpy()})[0])


class OpenVinoModule(nn.Module):
    """A network run by OpenVINO on the CPU in float32, with as many threads as PyTorch uses.

    A batch is cut into a part for each thread, which goes through the whole network by itself: no thread waits for another
    between layers, and a part's tokens stay in the thread's own cache. Batches of fewer images than threads share their layers.

    A plan is made, and kept, for each shape of a part: plans of fixed shape run faster than one for any batch. Calls from several
    Python threads take turns.

    Args:
        path: an ONNX file with one input and one output.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        import openvino

        self._openvino = openvino
        self._core = openvino.Core()
        self._onnx = Path(path).read_bytes()
        self._threads = torch.get_num_threads()
        self._requests: dict[tuple[int, ...], tuple[Any, list[Any]]] = {}  # plan and requests by shape
        self._turn = threading.Lock()  # a request holds the output of one call at a time
        shape = self._core.read_model(self._onnx, b"").input().get_partial_shape()
        self._shape = tuple(shape[i].get_length() for i in range(1, len(shape)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) float32 on the CPU -> the network's output.

        Raises:
            InputError: not float32 on the CPU, or of another size than the network was exported for.
        """
        _check_exported_input(x, self._shape)
        with self._turn:
            return self._infer(x)

    def _infer(self, x: Tensor) -> Tensor:
        streams = self._threads if len(x) >= self._threads else 1
        parts = x.detach().contiguous().split(even_part(len(x), -(-len(x) // streams)))
        taken: dict[tuple[int, ...], int] = {}
        running = []
        for part in parts:
            shape = tuple(part.shape)
            request = self._request(shape, streams, taken.get(shape, 0))
            taken[shape] = taken.get(shape, 0) + 1
            request.start_async([self._openvino.Tensor(part.numpy(), shared_memory=True)])
            running.append(request)
        for request in running:
            request.wait()
        # a copy, since the next call overwrites the requests' own memory
        return torch.from_numpy(np.concatenate([request.get_output_tensor().data for request in running]))

    def _request(self, shape: tuple[int, ...], streams: int, number: int) -> Any:
        """The request of that number for parts of ``shape``; those that one call needs at once differ."""
        key = (streams, *shape)
        if key not in self._requests:
            network = self._core.read_model(self._onnx, b"")
            network.reshape(list(shape))
            settings = {
                "INFERENCE_NUM_THREADS": self._threads,
                "NUM_STREAMS": streams,
                "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
                "INFERENCE_PRECISION_HINT": "f32",
            }
            plan = self._core.compile_model(network, "CPU", settings)
            self._requests[key] = plan, []
        plan, requests = self._requests[key]
        while len(requests) <= number:
            requests.append(plan.create_infer_request())
        return requests[number]


def _check_exported_input(x: Tensor, shape: tuple[int, ...]) -> None:
    if x.dtype != torch.float32 or x.device.type != "cpu" or tuple(x.shape[1:]) != shape:
        size = ", ".join(map(str, shape))
        raise InputError(
            f"this runtime's network takes (B, {size}) float32 on the CPU, found {tuple(x.shape)} {x.dtype} on {x.device}; "
            "optimize the model with an example of the size to be run"
        )


class _NoGrad(nn.Module):
    """Calls a module without recording gradients."""

    def __init__(self, model: nn.Module):
        super().__init__()

        self.model = model
        self._packed = any(isinstance(module, PackedLinear) for module in model.modules())

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        # Packed layers are float32; autocast would hand them something else.
        with torch.autocast("cpu", enabled=False) if self._packed else contextlib.nullcontext():
            return self.model(x)

    def train(self, mode: bool = True) -> _NoGrad:
        """Nothing: such a model is for inference."""
        return super().train(False)


def _freeze(model: nn.Module) -> nn.Module:
    """A copy without gradients whose weights lie as the CPU's matrix products read them fastest."""
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in model.modules():
        if type(module) is nn.Linear:  # products take the transposed weight: let that be the contiguous one
            module.weight.data = module.weight.data.t().contiguous().t()
        elif isinstance(module, nn.Conv2d):  # lets patch projections use the weight without a copy
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return model


def _pack(model: nn.Module) -> nn.Module:
    """``model`` with packed layers where attention and MLP call a linear layer by itself, on the CPU; changed in place."""

    layers = {
        LocallyGroupedSelfAttention: ("qkv", "proj"),
        GlobalSubsampledAttention: ("q", "kv", "proj"),
        Mlp: ("fc1", "fc2"),
    }
    for module in list(model.modules()):
        names = layers.get(type(module), ())
        if names and not hooked(module) and all(can_pack(getattr(module, name)) for name in names):
            for name in names:
                setattr(module, name, PackedLinear(getattr(module, name), gelu=name == "fc1"))
    return model

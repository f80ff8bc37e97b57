"""ONNX graphs: traced from a network, then made smaller. The only door to onnx, onnxscript and onnxruntime's quantization.

A graph is exported with torch's dynamo exporter, an example batch of two rows and more (a size of one would be baked in).
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.models.exported import check_installed

LARGEST = 1.9e9  # bytes that one ONNX file holds
SMALL = 1024  # numbers below which a weight stays as it is


class Asked(torch.nn.Module):
    """A network with its tensors in an order: what the exporter wants. It answers with `outputs` alone."""

    def __init__(self, model, names: Sequence[str], outputs: Sequence[str]):
        super().__init__()
        self.model, self.names, self.outputs = model, list(names), list(outputs)

    def forward(self, *values):
        found = self.model(**dict(zip(self.names, values, strict=True)))
        return tuple(found[name] for name in self.outputs)


def trace(model, inputs: dict[str, Any], moving: dict[str, dict[int, str]], outputs: Sequence[str], path: Path) -> None:
    """Write a network as an ONNX file; `moving` names the axes of each input that differ from batch to batch."""
    check_installed("onnx", "onnxscript", "onnxruntime")
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    if size > LARGEST:
        raise BadInput(
            tr(
                f"模型有 {size / 1e9:.1f} GB，一个 ONNX 文件最多 2 GB。请导出更小的模型。",
                f"The model has {size / 1e9:.1f} GB, and one ONNX file holds 2 GB. Export a smaller model.",
            )
        )
    asked = Asked(model, list(inputs), outputs).eval()
    with hushed(), torch.no_grad():
        program = torch.onnx.export(
            asked,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=(tuple(moving[name] for name in inputs),),
            dynamo=True,
            verbose=False,
        )
    import onnx

    onnx.save(bare(program.model_proto), str(path))


def bare(model) -> Any:
    """The graph without what its exporter noted beside it: the lines of code that it came from, on whose machine; and shapes
    in between, of which some are those of weights before they were turned over (ONNX Runtime then refuses to quantize)."""
    del model.graph.value_info[:]
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.graph.initializer,
    ):
        part.ClearField("doc_string")
        del part.metadata_props[:]
    return model


def halve(source: Path, path: Path) -> None:
    """The same graph with its large weights kept as float16: half the file. It computes in float32 as before."""
    check_installed("onnx")
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    graph = (model := onnx.load(str(source))).graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or (values := numpy_helper.to_array(weight)).size < SMALL:
            continue
        name, most = weight.name, np.finfo(np.float16).max
        weight.CopyFrom(numpy_helper.from_array(values.clip(-most, most).astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, str(path))


def quantize(source: Path, path: Path) -> None:
    """The same graph with the weights of its linear maps and embeddings as int8; what flows between is quantized as it comes."""
    check_installed("onnx", "onnxruntime")
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(source))
    before = sum(node.op_type == "Conv" for node in model.graph.node)
    with hushed():
        quantize_dynamic(model, str(path), op_types_to_quantize=["MatMul", "Gather"], weight_type=QuantType.QInt8)
    after = {node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node}
    if not after & {"MatMulInteger", "DynamicQuantizeMatMul", "DequantizeLinear"}:
        raise BadInput(
            tr(
                f"int8 只量化线性层和嵌入；这个网络里没有（有 {before} 个卷积，它们在处理器上量化后更慢）。请用 precision='half'。",
                f"int8 is for linear maps and embeddings, and this network has none ({before} convolutions, which int8 makes "
                "slower on a processor). Take precision='half'.",
            )
        )


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """The exporters tell of their own affairs, at length; what matters to a user is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

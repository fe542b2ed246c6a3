"""Networks over any observation of the suite, chosen from its space by `torso`."""

import math
from typing import Any, Literal, get_args

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from .activations import ACTIVATIONS, Activation, Tanh
from .features import Features, InputLayer, orthogonal, parts_of
from .normalization import RunningMoments

#: The names of networks; `auto` takes a `cnn` for pictures and an `mlp` for all else.
NetworkKind = Literal["auto", "mlp", "flat", "cnn", "set", "graph", "slots"]
#: Sides from which on an array is a picture, whose pixels mean little one by one.
_PICTURE = 32


def mlp(inputs: int, hidden: tuple[int, ...], activation: type[nn.Module] = Tanh) -> nn.Sequential:
    """Hidden layers of the given widths, each followed by the activation."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [orthogonal(inputs, width, gain=math.sqrt(2)), activation()]
        inputs = width
    return nn.Sequential(*layers)


class Torso(nn.Module):
    """Raw observation rows (n, raw width) to features (n, width).

    Args:
        layers: what is done to them, in order.
        width: of the features.
    """

    def __init__(self, layers: nn.Sequential, width: int):
        super().__init__()
        self.layers = layers
        #: The width of the features.
        self.width = width

    def forward(self, rows: Tensor) -> Tensor:
        """(n, raw width) rows to (n, width) features."""
        return self.layers(rows)


class RawNumbers(nn.Module):
    """The numbers of a raw row as they are.

    Args:
        space: the observation space of one environment; see `parts_of`.
        normalize: whether they are normalised by their running moments.
    """

    def __init__(self, space: spaces.Space[Any], normalize: bool = False):
        super().__init__()
        self.width = sum(int(np.prod(box.shape)) for box in parts_of(space).values())
        self.moments = RunningMoments(self.width) if normalize else None

    def forward(self, rows: Tensor) -> Tensor:
        """(n, width) rows to (n, width) floats."""
        return rows.float() if self.moments is None else self.moments(rows.float())


class PictureEncoder(nn.Module):
    """Convolutions over an observation (height, width, channels).

    Pictures of 32 and more pixels a side are read with the strides of Mnih et al. 2015
    ("Human-level control through deep reinforcement learning"); smaller grids cell by cell, with
    3×3 filters that keep their size.

    Args:
        space: a `Box` of three dimensions.
        activation: follows each layer.
        normalize: see `Features`.

    Raises:
        UnsupportedFaceError: for any other space.
    """

    def __init__(
        self, space: spaces.Space[Any], activation: type[nn.Module], normalize: bool = False
    ):
        super().__init__()
        if not isinstance(space, spaces.Box) or len(space.shape) != 3:
            raise UnsupportedFaceError(
                f"a cnn reads a Box (height, width, channels), not {space}: choose mlp"
            )
        self.shape = space.shape
        height, width, channels = space.shape
        low, high = space.low.reshape(-1, channels), space.high.reshape(-1, channels)
        pixel = spaces.Box(low.min(0), high.max(0), dtype=space.dtype.type)  # pyright: ignore
        self.features = Features(pixel, normalize)
        if _is_picture(space):
            filters = ((32, 8, 4, 0), (64, 4, 2, 0), (64, 3, 1, 0))
        else:
            filters = ((32, 3, 1, 1), (32, 3, 1, 1))
        layers: list[nn.Module] = []
        inputs = self.features.width
        for outputs, kernel, stride, padding in filters:
            layers += [nn.Conv2d(inputs, outputs, kernel, stride, padding), activation()]
            inputs = outputs
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        with torch.no_grad():
            self.width = self.convolutions(
                torch.zeros(1, self.features.width, height, width)
            ).shape[1]

    def forward(self, rows: Tensor) -> Tensor:
        """(n, raw width) rows to (n, width) floats."""
        height, width, channels = self.shape
        pixels = self.features(rows.reshape(-1, channels))
        picture = pixels.unflatten(0, (-1, height, width)).permute(0, 3, 1, 2)
        return self.convolutions(picture)


class EntityEncoder(nn.Module):
    """Reads an observation as a set of entities, whose order means nothing.

    The parts of the observation with a first dimension of k describe k entities; their rows side
    by side are what is known of each. All else is known of the whole. Each entity goes through the
    same layers; the mean and the maximum over entities, beside what is known of the whole, are the
    outcome (Zaheer et al. 2017, "Deep sets"). With `attend` the entities first look at each other
    in layers of self-attention on the complete graph (Veličković et al. 2018, "Graph attention
    networks", with the dot-product attention of Vaswani et al. 2017).

    Args:
        space: a `Box` (k, …), or a `Dict` with such parts.
        size: width of an entity's vector; heads of attention have 16 each.
        attend: layers of self-attention; 0 for a plain set.
        activation: follows each layer.
        normalize: see `Features`.

    Raises:
        UnsupportedFaceError: there are no entities in the space.
    """

    def __init__(
        self, space: spaces.Space[Any], size: int, attend: int, activation: type[nn.Module],
        normalize: bool = False,
    ):  # fmt: skip
        super().__init__()
        parts = parts_of(space)
        lengths = [box.shape[0] for box in parts.values() if len(box.shape) >= 2]
        if not lengths:
            raise UnsupportedFaceError(
                f"entities are rows of a part (k, …) of the observation; {space} has none: "
                "choose mlp"
            )
        self.entities = lengths[0]
        self.sizes = [int(np.prod(box.shape)) for box in parts.values()]
        self.of_entity = [box.shape[:1] == (self.entities,) for box in parts.values()]
        self.features = nn.ModuleList(
            Features(_row(box) if mine else box, normalize)
            for box, mine in zip(parts.values(), self.of_entity, strict=True)
        )
        widths = [int(f.width) for f in self.features]  # pyright: ignore[reportArgumentType]
        inputs = sum(w for w, mine in zip(widths, self.of_entity, strict=True) if mine)
        self.embed = mlp(inputs, (size, size), activation)
        self.attention = nn.ModuleList(_Attention(size, activation) for _ in range(attend))
        self.width = 2 * size + sum(widths) - inputs

    def forward(self, rows: Tensor) -> Tensor:
        """(n, raw width) rows to (n, width) floats."""
        return self.read(rows)[1]

    def read(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Of raw rows (n, raw width) the entities' vectors (n, k, size), and the outcome."""
        entity, whole = [], []
        pieces = rows.split(self.sizes, dim=1)
        for piece, features, mine in zip(pieces, self.features, self.of_entity, strict=True):
            if mine:
                flat = features(piece.reshape(len(rows) * self.entities, -1))
                entity.append(flat.unflatten(0, (-1, self.entities)))
            else:
                whole.append(features(piece))
        vectors = self.embed(torch.cat(entity, dim=-1))
        for layer in self.attention:
            vectors = layer(vectors)
        return vectors, torch.cat([vectors.mean(1), vectors.amax(1), *whole], dim=-1)


class SlotEncoder(EntityEncoder):
    """Reads an observation whose entities are the actions: entity i is what action i would do.

    The outcome begins with a score for each entity, from its vector and all that the set shows, by
    layers that all of them share: `ActorCritic` takes them for the logits of its policy, as pointer
    networks do (Vinyals, Fortunato & Jaitly 2015).

    Args:
        space, size, activation, normalize: see `EntityEncoder`.
    """

    def __init__(
        self,
        space: spaces.Space[Any],
        size: int,
        activation: type[nn.Module],
        normalize: bool = False,
    ):
        super().__init__(space, size, 0, activation, normalize)
        self.score = nn.Sequential(
            *mlp(size + self.width, (size,), activation), orthogonal(size, 1, gain=0.01)
        )
        self.width += self.entities

    def forward(self, rows: Tensor) -> Tensor:
        vectors, seen = self.read(rows)
        around = seen.unsqueeze(1).expand(-1, self.entities, -1)
        scores = self.score(torch.cat([vectors, around], dim=-1)).squeeze(-1)
        return torch.cat([scores, seen], dim=-1)


class _Attention(nn.Module):
    """Self-attention and a layer for each entity, both added to what came in, normalised first."""

    def __init__(self, size: int, activation: type[nn.Module]):
        super().__init__()
        self.heads = max(1, size // 16)
        self.before, self.between = nn.LayerNorm(size), nn.LayerNorm(size)
        self.project = nn.Linear(size, 3 * size)
        self.join = nn.Linear(size, size)
        self.layer = nn.Sequential(
            nn.Linear(size, 2 * size), activation(), nn.Linear(2 * size, size)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        split = self.project(self.before(vectors)).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        vectors = vectors + self.join(seen.transpose(1, 2).flatten(2))
        return vectors + self.layer(self.between(vectors))


def torso(
    space: spaces.Space[Any],
    kind: NetworkKind = "auto",
    hidden: tuple[int, ...] = (64, 64),
    activation: Activation = "tanh",
    normalize: bool = False,
) -> Torso:
    """The network that suits an observation space.

    Args:
        space: the observation space of one environment.
        kind: `"mlp"` over `Features`, `"flat"` over the raw numbers, `"cnn"`, `"set"`, `"graph"`,
            `"slots"` (see `SlotEncoder`), or `"auto"`: a `cnn` for pictures of 32 and more pixels a
            side, an `mlp` for all else.
        hidden: widths of the layers after the encoder. An entity's vector has the first width.
        activation: `"tanh"` or `"relu"`.
        normalize: whether numbers are normalised by their running moments; see `Features`.

    Raises:
        InvalidArgumentError: for another kind or activation, or no hidden layers.
        UnsupportedFaceError: the network cannot read such observations.
    """
    if kind not in get_args(NetworkKind):
        known = ", ".join(get_args(NetworkKind))
        raise InvalidArgumentError(f"the network must be one of {known}; got {kind!r}")
    if activation not in ACTIVATIONS:
        raise InvalidArgumentError(f"the activation must be tanh or relu; got {activation!r}")
    if not hidden or min(hidden) < 1:
        raise InvalidArgumentError(f"hidden must be widths of 1 and more; got {hidden!r}")
    act = ACTIVATIONS[activation]
    if kind == "auto":
        kind = "cnn" if _is_picture(space) else "mlp"
    if kind == "mlp":
        first = InputLayer(Features(space, normalize), hidden[0])
        layers = nn.Sequential(first, act(), *mlp(hidden[0], hidden[1:], act))
        return Torso(layers, hidden[-1])
    if kind == "slots":
        slots = SlotEncoder(space, hidden[0], act, normalize)
        return Torso(nn.Sequential(slots), slots.width)
    if kind == "flat":
        encoder = RawNumbers(space, normalize)
    elif kind == "cnn":
        encoder = PictureEncoder(space, act, normalize)
    else:
        attend = 2 if kind == "graph" else 0
        encoder = EntityEncoder(space, hidden[0], attend, act, normalize)
    return Torso(nn.Sequential(encoder, *mlp(encoder.width, hidden, act)), hidden[-1])


def _is_picture(space: spaces.Space[Any]) -> bool:
    shape = space.shape if isinstance(space, spaces.Box) else ()
    return len(shape) == 3 and min(shape[:2]) >= _PICTURE


def _row(box: spaces.Box) -> spaces.Box:
    """The space of one entity: the bounds that hold for all."""
    low, high = (bound.reshape(len(bound), -1) for bound in (box.low, box.high))
    return spaces.Box(low.min(0), high.max(0), dtype=box.dtype.type)  # pyright: ignore

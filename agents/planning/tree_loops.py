"""Monte Carlo tree search as compiled loops together with an environment's kernels.

A node is a state in which actions were chosen, an edge one of the actions: visits and mean returns
are the edges'. Every simulation steps from the root again, so that nodes keep no states, and
chance falls anew each time.
"""

import math
from dataclasses import replace
from types import ModuleType

from ...envs.kernel import rng
from ...envs.kernel.definition import KernelDefinition
from .open_list import enter, find
from .trees import EDGE, bytes_of_node

_TEXT = """
@inlined
def move(i, state, action, params, work):
    '''One step; whether it ends the episode. Nobody will ask for the record's return.'''
    state.step_count = state.step_count + 1
MOVE

@inlined
def grow(i, state, params, trees, rules, work):
    '''Make a node of a state, with its edges; −1 where there is no room, or no legal action.'''
    run, n_actions = trees.run[i], work.choices.shape[1] - 1
    mask_lane(i, state, params, work.mask)
    n = 0
    for action in range(n_actions):
        n += VARYING or is_legal(i, action, work.mask)
    node, first = int(run.nodes), int(run.edges)
    used = (node + 1) * NODE_BYTES + (first + n) * EDGE_BYTES
    full = node == trees.nodes.shape[1] or first + n > trees.edges.shape[1]
    if n == 0 or full or used > rules.memory:
        return -1
    run.nodes += 1
    run.edges += n
    made = trees.nodes[i, node]
    made.total = 0.0
    made.first = first
    made.edges = n
    made.opened = 0
    made.visits = 0
    made.seen = 0
    for action in range(n_actions):
        if VARYING or is_legal(i, action, work.mask):
            edge = trees.edges[i, first]
            edge.worth = 0.0
            edge.bonus = 0.0
            edge.visits = 0
            edge.child = -1
            edge.action = action
            edge.prior = 0.0
            first += 1
    return node

@inlined
def child_of(i, edge, grows, state, params, trees, rules, work):
    '''The node behind an edge, which may be made now; −1 where there is none.'''
    if TRANSPOSITIONS:
        key_lane(i, state, params, work.key)
        a, b = work.key[i, 0], work.key[i, 1]
        slot = find(trees.table[i], trees.nodes[i], a, b)
        child = int(trees.table[i, slot].node) - 1
        if child < 0 and grows:
            child = grow(i, state, params, trees, rules, work)
            if child >= 0:
                trees.nodes[i, child].key = a
                enter(trees.table[i], slot, b, child)
        return child
    child = int(trees.edges[i, edge].child)
    if child < 0 and grows:
        child = grow(i, state, params, trees, rules, work)
        trees.edges[i, edge].child = child
    return child

@inlined
def open_edge(i, node, trees, work):
    '''Let one more action be chosen: the likeliest, or without priors any. −1 where none is.'''
    here, edges = trees.nodes[i, node], trees.edges
    begin, end = int(here.first) + int(here.opened), int(here.first) + int(here.edges)
    chosen = -1
    if GUIDED or VARYING:
        legal = 0
        for edge in range(begin, end):
            if VARYING and not is_legal(i, int(edges[i, edge].action), work.mask):
                continue
            legal += 1
            if GUIDED:
                better = chosen < 0 or edges[i, edge].prior > edges[i, chosen].prior
            else:
                better = integer(work.chance[i], legal) == 0
            if better:
                chosen = edge
    elif begin < end:
        chosen = begin + integer(work.chance[i], end - begin)
    if chosen < 0:
        return -1
    other, action, prior = edges[i, begin], edges[i, chosen].action, edges[i, chosen].prior
    edges[i, chosen].action = other.action
    edges[i, chosen].prior = other.prior
    edges[i, chosen].bonus = other.prior
    other.action = action
    other.prior = prior
    other.bonus = prior
    here.opened += 1
    return begin

@inlined
def select(i, node, trees, rules, work):
    '''The edge to follow; −1 where no action is legal.'''
    here, edges, run = trees.nodes[i, node], trees.edges, trees.run[i]
    # With this visit; of a valued leaf none is in its edges.
    visits, allowed = int(here.visits) + (not GUIDED), int(here.edges)
    if rules.factor > 0.0:
        allowed = min(allowed, max(1, int(rules.factor * float(visits) ** rules.exponent)))
    while here.opened < allowed:
        edge = open_edge(i, node, trees, work)
        if edge < 0:
            break
        if not GUIDED:
            return edge
    scale = 1.0 / (run.high - run.low) if run.high > run.low else 0.0
    if visits < len(rules.spread):
        spread = rules.spread[visits]
    else:
        spread = math.sqrt(visits if GUIDED else math.log(visits))
    spread *= rules.exploration
    unknown = here.total / visits
    first, best, highest = int(here.first), -1, -np.inf
    for edge in range(first, first + int(here.opened)):
        if VARYING and not is_legal(i, int(edges[i, edge].action), work.mask):
            continue
        mean = unknown if GUIDED and edges[i, edge].visits == 0 else edges[i, edge].worth
        score = mean * scale + float(edges[i, edge].bonus) * spread
        if score > highest:
            best, highest = edge, score
    # Widening has not come to those that are legal this time.
    return open_edge(i, node, trees, work) if VARYING and best < 0 else best

@inlined
def descend(i, params, trees, rules, work):
    '''Follow the tree to a leaf: how deep it is, and whether it is to be valued.'''
    run = trees.run[i]
    run.simulations += 1
    work.states[i] = work.roots[i]
    state = work.states[i]
    if STOCHASTIC:
        state.rng = random_bits(work.chance[i])
    node, depth = 0, 0
    while depth < rules.depth:
        if TRANSPOSITIONS:
            trees.nodes[i, node].seen = run.simulations
        if VARYING:
            mask_lane(i, state, params, work.mask)
        edge = select(i, node, trees, rules, work)
        if edge < 0:
            return depth, False
        step = work.path[i, depth]
        step.node = node
        step.edge = edge
        step.sign = SIGN
        over = move(i, state, int(trees.edges[i, edge].action), params, work)
        step.reward = GAIN
        depth += 1
        if over:
            return depth, False
        # The second visit finds the first one's rollout in the edge: no node was needed for it.
        grows = not GUIDED and trees.edges[i, edge].visits > 0
        node = child_of(i, edge, grows, state, params, trees, rules, work)
        if node < 0 or (TRANSPOSITIONS and trees.nodes[i, node].seen == run.simulations):
            return depth, True
    return depth, False

@inlined
def rollout(i, depth, params, rules, work):
    '''The first player's return from a leaf on, of legal actions drawn uniformly.'''
    state, n_actions = work.states[i], work.choices.shape[1] - 1
    value, weight = 0.0, 1.0
    for _ in range(depth, rules.depth):
        if MASKED:
            mask_lane(i, state, params, work.mask)
            action = integer(work.chance[i], n_actions)
            # Most are legal as a rule; if this one is not, all that are can still be drawn alike.
            if not is_legal(i, action, work.mask):
                n = 0
                for action in range(n_actions):
                    work.choices[i, n] = action
                    n += is_legal(i, action, work.mask)
                if n == 0:
                    break
                action = int(work.choices[i, integer(work.chance[i], n)])
        else:
            action = integer(work.chance[i], n_actions)
        over = move(i, state, action, params, work)
        value += weight * GAIN
        weight *= rules.discount
        if over:
            break
    return value

@inlined
def back_up(i, depth, value, trees, rules, work):
    '''Enter a leaf's value, the first player's, into all edges on the way to it.'''
    run = trees.run[i]
    for d in range(depth - 1, -1, -1):
        step = work.path[i, d]
        value = step.reward + rules.discount * value
        edge, node = trees.edges[i, step.edge], trees.nodes[i, step.node]
        visits = int(edge.visits) + 1
        mean = edge.worth + (step.sign * value - edge.worth) / visits
        edge.visits = visits
        edge.worth = mean
        edge.bonus = edge.prior / (1.0 + visits) if GUIDED else 1.0 / math.sqrt(visits)
        node.visits += 1
        node.total += step.sign * value
        run.low = min(run.low, mean)
        run.high = max(run.high, mean)

@inlined
def simulate_once(i, params, trees, rules, work):
    '''A simulation whose leaf is valued by rollouts.'''
    depth, alive = descend(i, params, trees, rules, work)
    value = 0.0
    if alive:
        if rules.rollouts > 1:
            work.spare[i] = work.states[i]
        for k in range(rules.rollouts):
            if k > 0:
                work.states[i] = work.spare[i]
                if STOCHASTIC:
                    work.states[i].rng = random_bits(work.chance[i])
            value += rollout(i, depth, params, rules, work)
        value /= rules.rollouts
    back_up(i, depth, value, trees, rules, work)

@lane
def begin(params, trees, rules, work):
    '''Make the roots.'''
    for i in range(len(trees.run)):
        run = trees.run[i]
        run.nodes = 0
        run.edges = 0
        run.simulations = 0
        run.low = np.inf
        run.high = -np.inf
        if TRANSPOSITIONS:
            child_of(i, 0, True, work.roots[i], params, trees, rules, work)
        else:
            grow(i, work.roots[i], params, trees, rules, work)

SIMULATE

@inlined
def take_priors(i, node, priors, value, trees):
    '''Enter what the network says of a node; priors of legal actions come to sum to 1.'''
    here = trees.nodes[i, node]
    first, last = int(here.first), int(here.first) + int(here.edges)
    total = 0.0
    for edge in range(first, last):
        total += float(priors[trees.edges[i, edge].action])
    for edge in range(first, last):
        share = float(priors[trees.edges[i, edge].action]) / total if total > 0.0 else 1.0
        trees.edges[i, edge].prior = share
        trees.edges[i, edge].bonus = share
    here.total = value
    here.visits = 1

@lane
def root_priors(priors, values, trees):
    for i in range(len(trees.run)):
        take_priors(i, 0, priors[i], values[i], trees)

@lane
def to_leaves(count, params, trees, rules, work, leaves):
    '''Follow the first trees to a leaf. Those to be valued are copied; how many there are.'''
    n = 0
    for i in range(count):
        depth, waits = descend(i, params, trees, rules, work)
        trees.run[i].depth = depth
        trees.run[i].waits = waits
        if waits:
            leaves[n] = work.states[i]
            n += 1
    return n

@lane
def from_leaves(count, priors, values, params, trees, rules, work):
    '''Make nodes of the leaves that were valued, and back up all values.'''
    n = 0
    for i in range(count):
        run, value = trees.run[i], 0.0
        depth, state = int(run.depth), work.states[i]
        if run.waits:
            known, edge = run.nodes, int(work.path[i, depth - 1].edge)
            node = child_of(i, edge, True, state, params, trees, rules, work)
            if run.nodes > known:
                take_priors(i, node, priors[n], values[n], trees)
            value = SIGN * values[n]
            n += 1
        back_up(i, depth, value, trees, rules, work)
"""

_SIMULATE = """
@DECORATOR
def NAME(quota, params, trees, rules, work):
    '''So many simulations in every tree.'''
    for i in RANGE(len(trees.run)):
        for _ in range(quota):
            simulate_once(i, params, trees, rules, work)
"""

_ONE = {
    "MOVE": """
    reward, over = PLAY(state, action, params)
    work.reward[i] = reward
    return over
""",
    "GAIN": "float(work.reward[i])",
    "SIGN": "1.0",
}
_TWO = {
    "MOVE": """
    for agent in range(2):
        work.reward[i, agent] = 0.0
        work.terminated[i, agent] = False
    step_kernel(state, action, params, work.reward[i], work.terminated[i])
    return work.terminated[i, 0] and work.terminated[i, 1]
""",
    "GAIN": "float(work.reward[i, 0])",
    "SIGN": "1.0 - 2.0 * int(state.turn)",
}


def tree_module(definition: KernelDefinition, guided: bool, transpositions: bool) -> ModuleType:
    """The compiled loops: `begin`, then `simulate`, or of a guided search the other three."""
    # Actions belong to a state as it is, not to the one that stands for it and its like.
    own = replace(definition, kernels=definition.kernels._replace(canonical=None))
    one = _SIMULATE.replace("DECORATOR", "lane").replace("NAME", "simulate")
    many = _SIMULATE.replace("DECORATOR", "spread").replace("NAME", "simulate_parallel")
    both = one.replace("RANGE", "range") + many.replace("RANGE", "prange")
    text = _TEXT.replace("SIMULATE", both)
    for blank, words in (_TWO if definition.turns else _ONE).items():
        text = text.replace(blank, words.strip("\n"))
    text = text.replace("PLAY", "play_lane" if definition.plays else "step_kernel")
    # Of what chance made of a node's state, not all need have the same legal actions.
    varying = definition.stochastic and definition.masked and not transpositions
    # In the text, since modules are told apart by that and not by the names of what they are given.
    constants = (
        f"GUIDED, TRANSPOSITIONS, VARYING = {guided}, {transpositions}, {varying}\n"
        f"STOCHASTIC, MASKED = {definition.stochastic}, {definition.masked}\n"
        f"NODE_BYTES, EDGE_BYTES = {bytes_of_node(transpositions)}, {EDGE.itemsize}\n"
    )
    return own.generate(
        constants + text, random_bits=rng.random_bits, math=math, find=find, enter=enter
    )

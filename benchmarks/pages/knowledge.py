"""The tables of the page of the benchmarks that are about the knowledge world."""

from pages.figures import read, table


def questions_table():
    """Who can answer what."""
    rows = [
        (
            f"`{row['pattern']}`",
            f"{row['questions']:,}",
            f"{row['oracle']:.4f}",
            f"{row['broken']:,}",
            f"{row['not_unique']:,}",
            f"{row['steps']:.1f}",
            f"{row['guesser']:.4f}",
            f"< {row['chance']}",
        )
        for row in read("knowledge_world")["questions"]
    ]
    head = (
        "pattern", "questions", "oracle", "broken", "not unique", "steps", "guesser", "wanted",
    )  # fmt: skip
    return table(head, rows)


def built_table():
    """Documents a second."""
    rows = [
        (
            f"{row['documents']:,}",
            *(f"{row['seconds'][k]:.2f}" for k in ("facts", "pages", "tokens", "index")),
            f"{row['reading_seconds']:.2f}",
            f"{row['documents_per_second']:,.0f}",
            f"{row['target']:,}",
            f"{row['tokens_per_document']:.0f}",
            f"{row['bytes_per_document']:,.0f}",
        )
        for row in read("knowledge_world")["speed"]["built"]
    ]
    head = (
        "documents", "facts, s", "pages, s", "token ids, s", "index, s", "read back, s",
        "documents a second", "goal", "tokens each", "bytes each",
    )  # fmt: skip
    return table(head, rows)


def searches_table():
    """Searches a second, end to end."""
    found = read("knowledge_world")["speed"]["searches"]
    rows = [
        (
            f"{found['documents']:,}",
            found["envs"],
            f"{found['per_second']:,.0f}",
            f"{found['target']:,}",
        )
    ]
    return table(("documents", "environments", "searches a second", "goal"), rows)


def retrieval_table():
    """Recall of gold evidence."""
    rows = [
        (row["dial"], row["retriever"], f"{row['subject']:.3f}", f"{row['object']:.3f}")
        for row in read("knowledge_world")["retrieval"]
    ]
    return table(("world", "retriever", "by the subject", "by the object"), rows)


def difficulty_table():
    """Success of scripted searchers."""
    agents = ("oracle", "greedy-search", "single-shot", "guesser")
    rows = [
        (
            f"`{row['pattern']}`",
            row["hops"],
            row["treewidth"],
            *(f"{row[name]:.3f}" for name in agents),
        )
        for row in read("knowledge_world")["difficulty"]["patterns"]
    ]
    return table(("pattern", "facts", "treewidth", *(f"`{name}`" for name in agents)), rows)


def dispersion_table():
    """Success by dispersion."""
    rows = [
        (
            f"`{row['pattern']}`",
            f"`{row['agent']}`",
            row["pages"],
            row["questions"],
            f"{row['success']:.3f}",
            "{:.3f} to {:.3f}".format(*row["interval"]),
        )
        for row in read("knowledge_world")["difficulty"]["dispersion"]
    ]
    head = ("pattern", "agent", "least pages", "questions", "success", "95% interval")
    return table(head, rows)


def learning_table():
    """PPO beside greedy search."""
    found = read("knowledge_world")["learning"]
    rows = [("`greedy-search`", "", f"{found['greedy-search']:.3f}", "")]
    rows += [
        ("PPO", run["seed"], f"{run['success']:.3f}", f"{run['env_steps']:,}")
        for run in found["runs"]
    ]
    return table(("agent", "seed", "success", "environment steps"), rows)

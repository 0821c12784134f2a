"""The flags that name a judge, and the judge that they name."""

import argparse
import time
from typing import TYPE_CHECKING, Any

from factcheck.commands.common import column_mapping, counted, positive
from factcheck.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from factcheck.data import ClaimsSource
    from factcheck.judges import Judge
    from factcheck.verification import Verifier

__all__ = ["add_judge_arguments", "judge_of", "price_of", "print_dry_run", "print_usage"]

# Of an answer, for estimates: what a hosted or a well-served model writes.
_TOKENS_A_SECOND = 40

_SERVER_ONLY = ("judge_images", "judge_concurrency", "judge_timeout", "judge_max_tokens", "judge_price")
_CLASSIFIER_ONLY = ("judge_labels", "judge_length", "judge_dtype", "judge_claim_first")


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("another judge of the stance")
    group.add_argument(
        "--judge",
        metavar="JUDGE",
        help="hf:ID_OR_FOLDER, a Hugging Face sequence classifier; openai:URL#MODEL, a language model on a server; or multilingual, of the "
        "extra of that name",
    )
    group.add_argument(
        "--judge-labels", metavar="NAME=STANCE,…", help="hf: what the model's labels mean, where they do not say"
    )
    group.add_argument("--judge-length", type=positive, metavar="N", help="hf: tokens of claim and evidence together")
    group.add_argument("--judge-dtype", choices=("float32", "bfloat16", "float16"), help="hf: default float32")
    group.add_argument(
        "--judge-claim-first",
        action="store_true",
        default=None,
        help="hf: the model reads the claim before the evidence",
    )
    group.add_argument("--judge-images", action="store_true", default=None, help="openai: send the photos, too")
    group.add_argument("--judge-concurrency", type=positive, metavar="N", help="openai: requests at a time (default 8)")
    group.add_argument("--judge-timeout", type=float, metavar="SECONDS", help="openai: for one request (default 120)")
    group.add_argument("--judge-max-tokens", type=positive, metavar="N", help="openai: longest answer (default 400)")
    group.add_argument("--judge-price", metavar="IN,OUT", help="openai: price of a million tokens asked and answered")
    group.add_argument(
        "--judge-profile", metavar="FILE", help="calibration of the judge, which 'factcheck calibrate --judge' writes"
    )
    group.add_argument(
        "--judge-cache",
        metavar="FILE",
        help="where a judge's answers are kept ('none': nowhere; default: the user's cache folder)",
    )


def judge_of(args: argparse.Namespace) -> "Judge | None":
    """The judge that the flags name, with its cache; None for the model's own.

    Raises:
        InputError: a flag of another kind of judge, or the judge cannot be had.
    """
    given = [name for name in (*_SERVER_ONLY, *_CLASSIFIER_ONLY) if getattr(args, name) is not None]
    if args.judge is None:
        if given:
            raise InputError(f"`{given[0]}` belongs to a judge", field=given[0], hint="name one with `judge`")
        return None
    scheme = args.judge.partition(":")[0]
    others = {"hf": _SERVER_ONLY, "multilingual": _SERVER_ONLY, "openai": _CLASSIFIER_ONLY}.get(scheme, ())
    if wrong := [name for name in given if name in others]:
        kind = f"{scheme}:…" if ":" in args.judge else scheme
        raise InputError(f"`{wrong[0]}` means nothing for a judge {kind}", field=wrong[0])
    from factcheck.judges import load_judge

    judge = load_judge(args.judge, **_options(args, scheme))
    if args.judge_cache != "none":
        judge = _cached(judge, args.judge_cache)
    return judge if args.judge_profile is None else _calibrated(judge, args)


def _cached(judge: "Judge", path: str | None) -> "Judge":
    from factcheck.judges.cached import CachedJudge
    from retrieval.content_cache import ContentCache, cache_folder

    return CachedJudge(judge, ContentCache(path or cache_folder("judges") / "answers.sqlite"))


def _calibrated(judge: "Judge", args: argparse.Namespace) -> "Judge":
    from factcheck.judges.calibrated import CalibratedJudge, JudgeProfile

    profile = JudgeProfile.read(args.judge_profile)
    if profile.judge != judge.fingerprint:
        raise InputError(
            f"the profile {args.judge_profile!r} is of the judge {profile.judge}, this one is {judge.fingerprint}",
            field="judge_profile",
            hint="calibrate this one",
        )
    return CalibratedJudge(judge, profile.calibration)


def print_usage(usage: "Mapping[str, float]", price: str | None) -> None:
    """What a judge was asked, see :class:`factcheck.judges.usage.UsageMeter`, on standard output; nothing where nothing was counted."""
    if not usage:
        return
    from factcheck.judges.usage import cost_of

    requests, known, retries = (int(usage.get(name, 0)) for name in ("requests", "known", "retries"))
    told = [f"{counted(known, 'answer')} known from before"] if known else []
    if requests:
        tokens = f"{int(usage.get('prompt_tokens', 0))} + {int(usage.get('completion_tokens', 0))} tokens"
        cost = cost_of(usage, price_of(price))
        told = [counted(requests, "request"), tokens, *([] if cost is None else [f"cost {cost:.4f}"]), *told]
    if retries:
        told.append(f"{retries} sent again")
    print(f"  judge: {', '.join(told)}")


def print_dry_run(verifier: "Verifier", claims: "ClaimsSource", price: str | None) -> None:
    """Rows, tokens, cost and time of a run, on standard output; a server is asked nothing.

    Evidence is selected as the run would do it. Time is measured on the first rows where the judge runs on this machine.
    """
    from factcheck.judges.usage import cost_of

    judge: Any = verifier.judge
    cache: Any = judge
    while cache is not None and not hasattr(cache, "known"):
        cache = getattr(cache, "inner", None)
    inner: Any = judge
    while hasattr(inner, "inner"):
        inner = inner.inner
    rows = questions = known = asked = answered = 0
    seconds, timed = 0.0, 0
    for table in claims.batches(256):
        rows += len(table)
        texts = [row.text() for row in verifier.prepared_rows(table) if row.has_evidence]
        questions += len(texts)
        if cache is not None:
            before = cache.known(texts)
            known += sum(before)
            texts = [text for text, is_known in zip(texts, before, strict=True) if not is_known]
        if hasattr(inner, "estimate"):
            more = inner.estimate(texts)
            asked, answered = asked + more[0], answered + more[1]
        elif not timed:
            start = time.monotonic()
            (judge or verifier.fusion).judge(texts[:64])
            seconds, timed = time.monotonic() - start, len(texts[:64])
    print(
        f"{counted(rows, 'row')}, {questions} with evidence to judge"
        + (f", {known} known from before" if known else "")
    )
    if hasattr(inner, "estimate"):
        cost = cost_of({"prompt_tokens": asked, "completion_tokens": answered}, price_of(price))
        spent = "" if cost is None else f", cost about {cost:.2f}"
        print(f"  about {asked} tokens asked and {answered} answered{spent}")
        minutes = answered / _TOKENS_A_SECOND / inner.concurrency / 60
        print(
            f"  about {minutes:.1f} min at {_TOKENS_A_SECOND} tokens a second and {inner.concurrency} requests at a time"
        )
    elif timed:
        print(
            f"  about {seconds / timed * (questions - known) / 60:.1f} min, by the first {counted(timed, 'row')}; without attribution"
        )


def _options(args: argparse.Namespace, scheme: str) -> dict[str, Any]:
    if scheme == "openai":
        price_of(args.judge_price)
        names = {
            "images": args.judge_images,
            "concurrency": args.judge_concurrency,
            "timeout": args.judge_timeout,
            "max_tokens": args.judge_max_tokens,
        }
    else:
        labels = column_mapping(args.judge_labels, flag="--judge-labels")
        names = {
            "labels": labels,
            "max_length": args.judge_length,
            "dtype": args.judge_dtype,
            "claim_first": args.judge_claim_first,
            "device": getattr(args, "device", None),
        }
    return {name: value for name, value in names.items() if value is not None}


def price_of(text: str | None) -> tuple[float, float] | None:
    """The prices of a million tokens asked and answered that a flag names."""
    if text is None:
        return None
    try:
        asked, answered = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"`judge_price` is {text!r}", field="judge_price", hint="write two numbers, as 0.15,0.60"
        ) from None
    return asked, answered

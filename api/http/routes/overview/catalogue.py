"""The catalogue of requests and data."""

from fastapi import APIRouter, Response

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.etags import IfNoneMatch, etag_response, not_modified
from api.http.response_headers import DIGEST_HEADER
from desk.conversation.reply import FIRST_OFFERS, OFFERS
from desk.strategies.catalogue import load_catalogue
from desk.strategies.catalogue_schemas import Catalogue, CatalogueSuggestion

router = APIRouter(tags=["evaluations"])

_SUGGESTIONS = tuple(CatalogueSuggestion(does=OFFERS[name][0], message=OFFERS[name][1]) for name in FIRST_OFFERS)


@router.get(
    "/catalogue",
    summary="What a request may contain, and the data at hand",
    response_model=Catalogue,
    responses={200: {"headers": DIGEST_HEADER}, **not_modified(), **error_responses()},
)
async def get_catalogue(service: AppStateDep, principal: PrincipalDep, if_none_match: IfNoneMatch = None) -> Response:
    """Every field of an optimization or evaluation with range, default, unit, meaning and when it has an effect.

    The tables are those that validate a request. The data are the bundled universes and your own data sets.
    """
    dependencies = service.dependencies
    catalogue = await load_catalogue(
        dependencies.store,
        principal.owner,
        dependencies.prices,
        now=dependencies.now(),
        suggestions=_SUGGESTIONS,
    )
    return etag_response(catalogue.model_dump_json().encode(), if_none_match)

"""The glossary, for clients that explain terms where they stand."""

from fastapi import APIRouter

from api.http.pagination import After, Limit, Page, paginate
from desk.base.glossary import Term, glossary

router = APIRouter(tags=["glossary"])


@router.get("/glossary", summary="The terms of the desk with their definitions")
async def list_terms(limit: Limit = 500, after: After = None) -> Page[Term]:
    """The same text as docs/glossary.md."""
    return paginate(glossary(), lambda term: term.names[0], limit, after)

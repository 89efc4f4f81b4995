"""The text at the head of the OpenAPI document: the way of a page through the operations, and what holds for all."""

INTRODUCTION = """
## From sign-in to a result

1. `GET /api/session/methods` says how users sign in. `POST /api/session` with an API key, or with the code of a
   Cognito pool, sets a cookie, which the browser then sends by itself, also with event streams. Every other request
   than GET and HEAD needs the header `X-CSRF-Token` with the `csrf_token` of the answer. A page that is reloaded
   gets it again from `GET /api/session`, where 401 means that nobody has signed in. Programs send a key or a token
   with each request instead, without cookie and `X-CSRF-Token`. Where authentication is off, no request needs any of
   this.
2. `GET /api/catalogue` lists what a request may contain. `POST /api/evaluations` previews one configuration at once;
   `fields` selects what a page shows. `POST /api/estimates` says what a search would take and whether it would wait
   for an approval.
3. `POST /api/jobs` submits a search and returns its id. With an `Idempotency-Key` a repeated request submits nothing
   new.
4. `GET /api/runs/{run}/events` with the id of the job streams its events:
   `new EventSource("/api/runs/" + id + "/events")`. Each event has its kind as `event:`, so a page adds a listener
   for each kind that it shows; all carry a LiveEvent, whose `line` is the event as a sentence and whose
   `progress.share` goes from 0 to 1. With `event: end` the page closes the stream. A browser that reconnects misses
   nothing.
5. `GET /api/jobs/{job_id}` has the state. Of a completed job `GET /api/jobs/{job_id}/result` has the verdict and
   every number, `GET /api/jobs/{job_id}/explanation` the result in words, and `GET /api/jobs/{job_id}/charts` the
   series.

## What holds everywhere

- Bodies are JSON with `Content-Type: application/json`; only imports accept files. Rates, weights and volatilities
  are fractions: 0.10 is 10% a year. Names that end in `bps` are basis points. Times are in UTC. A field of a body
  that is not required may be left out; its description says what it then is.
- Errors have the form of ErrorEnvelope. `details` names each wrong field by its path, such as
  `body.mandate.max_weight`, with what is accepted. 429 and 503 say in `Retry-After` when to try again. A method that
  a path does not have is a 405 with `Allow`; HEAD works wherever GET does.
- Objects that change have a version, sent as `ETag`. A change with `If-Match` applies to that version only, and is
  otherwise a 412. `If-None-Match` with the tag of an answer saves sending it again (304).
- Lists come in pages: `next` of a page is `after` of the next one, and null on the last.
- Objects of other users are a 404.
- A page is served by the host of the service, or its own server forwards `/api` to it: the cookie is not sent from
  other sites. The setting `CORS_ORIGINS` lets other pages send a key or a token.
- Every answer has an `X-Request-Id`, that of the request or a new one, which the log of the service contains.
"""

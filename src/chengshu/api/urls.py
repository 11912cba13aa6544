"""The API and its OpenAPI description at /api/openapi.json."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from chengshu.api import cases, configuration, observations, places, scenes, things
from chengshu.api.auth import Bearer, Session
from chengshu.api.problems import install
from chengshu.core.problems import KIND


class Json(Parser):
    """JSON as RFC 8259 has it: in UTF-8, without NaN and Infinity."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(request.body)


class Api(NinjaAPI):
    """Ninja's API, with the media types described that are sent."""

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        """The description: refusals are problems, evidence is pictures and documents, all else is JSON."""
        schema = super().get_openapi_schema(**given)
        for path in schema["paths"].values():
            for operation in path.values():
                for status, answer in operation["responses"].items():
                    if int(status) >= 400:
                        answer["content"] = {KIND: answer["content"]["application/json"]}
        file = schema["paths"]["/api/evidence/{id}"]["get"]["responses"][200]
        file["content"] = {media_type: {"schema": {}} for media_type in ("image/jpeg", "application/pdf")}
        return schema


api = Api(
    title="chengshu",
    version="1",
    description="Report, list, read and move cases. Errors are RFC 9457 problems.",
    auth=[Bearer(), Session()],
    docs_url=None,
    urls_namespace="api",
    parser=Json(),
)
install(api)
api.add_router("", cases.router)
api.add_router("", configuration.router)
api.add_router("", places.router)
api.add_router("", observations.router)
api.add_router("", scenes.router)
api.add_router("", things.router)

"""An application that signs a user in with Authlib. Prints the address that begins, reads the answer, and prints what it learned as JSON."""

import json
import sys

from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oidc.core import CodeIDToken

issuer, client_id, client_secret, redirect_uri, *method = sys.argv[1:]
session = OAuth2Session(
    client_id,
    client_secret,
    scope="openid profile email groups",
    redirect_uri=redirect_uri,
    code_challenge_method=method[0] if method else None,
)
server = session.get(f"{issuer}/.well-known/openid-configuration", withhold_token=True).json()
nonce = generate_token()
proof = {"code_verifier": generate_token(48)} if method else {}
address, state = session.create_authorization_url(server["authorization_endpoint"], nonce=nonce, **proof)
print(address, flush=True)

answer = sys.stdin.readline().strip()
token = session.fetch_token(server["token_endpoint"], authorization_response=answer, state=state, **proof)
keys = JsonWebKey.import_key_set(session.get(server["jwks_uri"], withhold_token=True).json())
claims = jwt.decode(
    token["id_token"],
    keys,
    claims_cls=CodeIDToken,
    claims_options={"iss": {"value": issuer}, "aud": {"value": client_id}},
    claims_params={"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]},
)
claims.validate()
learned = {"claims": claims, "userinfo": session.get(server["userinfo_endpoint"]).json()}

refreshed = session.refresh_token(server["token_endpoint"])
learned["refreshed"] = refreshed["refresh_token"] != token["refresh_token"]
learned["userinfo_after_refresh"] = session.get(server["userinfo_endpoint"]).status_code


def introspect(kind: str) -> dict:
    return session.introspect_token(server["introspection_endpoint"], token=refreshed[kind], token_type_hint=kind).json()


learned["introspection"] = introspect("access_token")
session.revoke_token(server["revocation_endpoint"], token=refreshed["access_token"], token_type_hint="access_token")
learned["access_token_after"] = introspect("access_token")
session.revoke_token(server["revocation_endpoint"], token=refreshed["refresh_token"], token_type_hint="refresh_token")
learned["refresh_token_after"] = introspect("refresh_token")
try:
    session.refresh_token(server["token_endpoint"], refresh_token=refreshed["refresh_token"])
except OAuthError as error:
    learned["refusal"] = error.error
print(json.dumps(learned))

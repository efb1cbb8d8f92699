const protocol =
  'iss sub aud exp nbf iat jti azp nonce auth_time at_hash c_hash s_hash acr amr sid sub_jwk cnf act may_act scope client_id ' +
  'authorization_details events toe txn token_introspection active username token_type htm htu ath atc sub_id jwks metadata ' +
  'constraints metadata_policy authority_hints trust_marks trust_mark_issuers trust_mark_owners trust_anchor_hints logo_uri ' +
  'delegation crit source_endpoint trust_anchor status status_list ttl vct email_verified phone_number_verified updated_at verified_claims';

const person =
  'name given_name family_name middle_name nickname preferred_username profile picture website email gender birthdate zoneinfo ' +
  'locale phone_number address place_of_birth nationalities birth_family_name birth_given_name birth_middle_name salutation title ' +
  'msisdn also_known_as roles groups entitlements';

const others =
  'sip_from_tag sip_date sip_callid sip_cseq_num sip_via_branch orig dest mky opt rph vot vtm attest origid jcard at_use_nbr div vc ' +
  'vp sph ace_profile cnonce exi eat_nonce ueid sueids oemid hwmodel hwversion oemboot dbgstat location eat_profile submods uptime ' +
  'bootcount bootseed dloas swname swversion manifests measurements measres intuse cdniv cdnicrit cdniip cdniuc cdniets cdnistt ' +
  'cdnistd sig_val_claims rcd rcdi crn msgi rdap_allowed_purposes rdap_dnt_allowed geohash sd_hash';

/**
 * Claims that a standard defines: those that IANA lists for JWT (RFC 7519 10.1, December 2026), those of OpenID Connect and of introspection
 * (RFC 7662). A custom claim has none of these names, because programs would take it for the claim of the standard.
 */
export const registeredClaims: ReadonlySet<string> = new Set(`${protocol} ${person} ${others}`.split(' '));

/** Those of them that describe a person. The table of a client may set them. */
export const personClaims: ReadonlySet<string> = new Set(person.split(' '));

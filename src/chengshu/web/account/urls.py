"""The addresses of one's own account: signing in, posts, tokens, notices."""

from __future__ import annotations

from django.urls import path

from chengshu.web.account import channels, deliveries, factors, notices, own, readings, sso

urlpatterns = [
    path("login", own.sign_in, name="login"),
    path("login", own.sign_in, name="account_login"),  # as allauth calls it
    path("login/second", factors.second, name="mfa_authenticate"),
    path("login/passkey", factors.passkey_login, name="mfa_login_webauthn"),
    path("oidc/city/login", sso.begin, {"provider_id": "city"}, name="openid_connect_login"),
    path("oidc/city/callback", sso.end, {"provider_id": "city"}, name="openid_connect_callback"),
    path("account/security", factors.security, name="security"),
    path("account/security", factors.security, name="mfa_index"),
    path("account/sessions/end", factors.end_session, name="session_end"),
    path("account/totp", factors.totp_on, name="mfa_activate_totp"),
    path("account/totp/remove", factors.totp_off, name="mfa_deactivate_totp"),
    path("account/passkeys/add", factors.passkey_on, name="mfa_add_webauthn"),
    path("account/passkeys/remove", factors.passkey_off, name="passkey_off"),
    path("account/recovery", factors.recovery, name="mfa_view_recovery_codes"),
    path("account/recovery/anew", factors.recovery_anew, name="recovery_anew"),
    path("account/again", factors.again, name="account_reauthenticate"),
    path("account/again/code", factors.again_code, name="mfa_reauthenticate"),
    path("account/again/passkey", factors.again_passkey, name="mfa_reauthenticate_webauthn"),
    path("logout", own.sign_out, name="logout"),
    path("register", own.register, name="register"),
    path("account", own.account, name="account"),
    path("account/password", own.change_password, name="password"),
    path("account/tokens", own.make_token, name="token_make"),
    path("account/tokens/revoke", own.revoke_token, name="token_revoke"),
    path("post", own.choose_post, name="post"),
    path("language", own.choose_language, name="language"),
    path("city", own.choose_city, name="city"),
    path("account/channels", channels.channels, name="channels"),
    path("account/channels/verify", channels.verify, name="channel_verify"),
    path("account/channels/code", channels.code, name="channel_code"),
    path("account/channels/change", channels.change, name="channel_change"),
    path("account/channels/remove", channels.remove, name="channel_remove"),
    path("account/quiet", channels.quiet, name="quiet"),
    path("account/deliveries", deliveries.own, name="deliveries"),
    path("account/deliveries/again", deliveries.again, name="delivery_again"),
    path("account/readings", readings.show, name="readings"),
    path("deliveries", deliveries.whole, name="deliveries_all"),
    path("deliveries/again", deliveries.whole_again, name="delivery_again_all"),
    path("notices", notices.show, name="notices"),
    path("notices/read", notices.read, name="notices_read"),
]

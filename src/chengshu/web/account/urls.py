"""The addresses of one's own account: signing in, posts, tokens, notices."""

from __future__ import annotations

from django.urls import path

from chengshu.web.account import notices, own

urlpatterns = [
    path("login", own.sign_in, name="login"),
    path("logout", own.sign_out, name="logout"),
    path("register", own.register, name="register"),
    path("account", own.account, name="account"),
    path("account/password", own.change_password, name="password"),
    path("account/tokens", own.make_token, name="token_make"),
    path("account/tokens/revoke", own.revoke_token, name="token_revoke"),
    path("post", own.choose_post, name="post"),
    path("language", own.choose_language, name="language"),
    path("city", own.choose_city, name="city"),
    path("notices", notices.show, name="notices"),
    path("notices/read", notices.read, name="notices_read"),
]

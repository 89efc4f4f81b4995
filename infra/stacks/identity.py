"""The Cognito pool: users whom an administrator creates, roles as groups, a second factor, one client of the page."""

from aws_cdk import Duration
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from desk.governance.roles import ROLES
from infra.blocks.stack import StageStack
from infra.config import StageConfig

PASSWORD_LENGTH = 12
ACCESS_TIME, REFRESH_TIME = Duration.hours(1), Duration.days(30)


class Identity(StageStack):
    def __init__(self, scope: Construct, config: StageConfig) -> None:
        super().__init__(scope, "identity", config)
        self.pool = cognito.UserPool(
            self,
            "users",
            user_pool_name=config.named("users"),
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            keep_original=cognito.KeepOriginalAttrs(email=True),  # a new address counts when it is verified
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=PASSWORD_LENGTH,
                require_digits=True,
                require_lowercase=True,
                require_uppercase=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            feature_plan=cognito.FeaturePlan.PLUS if config.retained else cognito.FeaturePlan.ESSENTIALS,
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION
            if config.retained
            else None,
            deletion_protection=config.retained,
            removal_policy=self.removal,
        )
        for role in ROLES:
            cognito.CfnUserPoolGroup(self, role, user_pool_id=self.pool.user_pool_id, group_name=role)
        self.domain = self.pool.add_domain(
            "sign-in",
            cognito_domain=cognito.CognitoDomainOptions(domain_prefix=config.globally_named("sign-in")),
            managed_login_version=cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
        )
        self.issuer = f"https://cognito-idp.{config.region}.amazonaws.com/{self.pool.user_pool_id}"
        self.client = self.pool.add_client(
            "page",
            user_pool_client_name=config.named("page"),
            generate_secret=False,  # the code is protected by PKCE
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL, cognito.OAuthScope.PROFILE],
                callback_urls=[f"{config.page}/"],
                logout_urls=[f"{config.page}/"],
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            access_token_validity=ACCESS_TIME,
            id_token_validity=ACCESS_TIME,
            refresh_token_validity=REFRESH_TIME,
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
        )
        cognito.CfnManagedLoginBranding(
            self,
            "sign-in-style",
            user_pool_id=self.pool.user_pool_id,
            client_id=self.client.user_pool_client_id,
            use_cognito_provided_values=True,
        )

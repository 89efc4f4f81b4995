"""The page: CloudFront before S3 and the HTTP interface, under one domain."""

from typing import cast

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as dns
from aws_cdk import aws_route53_targets as dns_targets
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.blocks.firewall import access_list
from infra.blocks.stack import StageStack
from infra.blocks.storage import bucket
from infra.config import Domain, StageConfig
from infra.stacks.data import Data
from infra.stacks.foundation import Foundation
from infra.stacks.service import HttpInterface

ASSETS = "/assets/*"
"""Files whose names contain a digest of their content. The service answers all other paths."""
LOGGED = (
    "date",
    "time",
    "x-edge-location",
    "x-edge-request-id",
    "x-edge-result-type",
    "c-ip",
    "cs-method",
    "x-host-header",
    "cs-uri-stem",
    "sc-status",
    "cs-bytes",
    "sc-bytes",
    "time-taken",
    "cs(User-Agent)",
    "cs-protocol",
    "ssl-protocol",
)
"""Fields of the access log: no cookies, no query and no referrer, which hold sessions, tickets and sign-in codes."""
HSTS = Duration.days(365)


class Web(StageStack):
    def __init__(
        self, scope: Construct, config: StageConfig, *, foundation: Foundation, data: Data, service: HttpInterface
    ) -> None:
        super().__init__(scope, "web", config)
        firewall = access_list(self, "web", scope="CLOUDFRONT", key=foundation.operations_key)
        files = bucket(
            self,
            "web",
            key=None,  # the files are public by way of CloudFront
            access_logs=data.logs,
            lifecycle=[s3.LifecycleRule(id="old-versions", noncurrent_version_expiration=Duration.days(30))],
        )
        certificate = None if config.domain is None else self._certificate(config.domain)
        distribution = cloudfront.Distribution(
            self,
            "distribution",
            comment=config.named("web"),
            default_behavior=cloudfront.BehaviorOptions(
                origin=service.origin,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=service.forwarded,
                compress=False,
            ),
            additional_behaviors={
                ASSETS: cloudfront.BehaviorOptions(
                    origin=origins.OriginGroup(
                        primary_origin=origins.S3BucketOrigin.with_origin_access_control(
                            files, origin_access_control=self._access_control()
                        ),
                        # between the deployment of the service and the upload of its files it has them alone
                        fallback_origin=service.origin,
                        fallback_status_codes=[403, 404],
                    ),
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                    cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                    response_headers_policy=self._headers(),
                    compress=True,
                )
            },
            certificate=certificate,
            domain_names=[config.domain.name] if config.domain else None,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            web_acl_id=firewall.attr_arn,
        )
        self._log_requests(distribution, data)
        if config.domain is not None:
            self._names(config.domain, distribution)
        CfnOutput(self, "address", value=f"https://{distribution.distribution_domain_name}")
        CfnOutput(self, "files", value=files.bucket_name)
        CfnOutput(self, "distribution-id", value=distribution.distribution_id)

    def _access_control(self) -> cloudfront.S3OriginAccessControl:
        return cloudfront.S3OriginAccessControl(
            self, "files-access", origin_access_control_name=self.config.named("files")
        )

    def _log_requests(self, distribution: cloudfront.Distribution, data: Data) -> None:
        source = logs.CfnDeliverySource(
            self,
            "requests",
            name=self.config.named("requests"),
            log_type="ACCESS_LOGS",
            resource_arn=distribution.distribution_arn,
        )
        destination = logs.CfnDeliveryDestination(
            self,
            "requests-destination",
            name=self.config.named("requests"),
            destination_resource_arn=data.logs.bucket_arn,
            output_format="json",
        )
        delivery = logs.CfnDelivery(
            self,
            "requests-delivery",
            delivery_source_name=source.name,
            record_fields=list(LOGGED),
            delivery_destination_arn=destination.attr_arn,
            s3_suffix_path="cloudfront/{yyyy}/{MM}/{dd}/{HH}",
        )
        delivery.node.add_dependency(source)

    def _headers(self) -> cloudfront.ResponseHeadersPolicy:
        """Headers of files in the bucket; the service sets those of its own answers."""
        return cloudfront.ResponseHeadersPolicy(
            self,
            "headers",
            response_headers_policy_name=self.config.named("files"),
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy="default-src 'none'; frame-ancestors 'none'", override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=HSTS, include_subdomains=True, override=True
                ),
            ),
        )

    def _zone(self, domain: Domain) -> dns.IHostedZone:
        return dns.HostedZone.from_hosted_zone_attributes(
            self, "zone", hosted_zone_id=domain.zone, zone_name=domain.name
        )

    def _certificate(self, domain: Domain) -> certificates.ICertificate:
        self._hosted_zone = self._zone(domain)
        return certificates.Certificate(
            self,
            "certificate",
            certificate_name=self.config.named("web"),
            domain_name=domain.name,
            validation=certificates.CertificateValidation.from_dns(self._hosted_zone),
        )

    def _names(self, domain: Domain, distribution: cloudfront.Distribution) -> None:
        alias = cast("dns.IAliasRecordTarget", dns_targets.CloudFrontTarget(distribution))
        target = dns.RecordTarget.from_alias(alias)
        for name, record in (("ipv4", dns.ARecord), ("ipv6", dns.AaaaRecord)):
            record(self, f"{name}-name", zone=self._hosted_zone, record_name=f"{domain.name}.", target=target)

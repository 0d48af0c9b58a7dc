"""boto3 against an endpoint: boto3_program.py ENDPOINT CERTIFICATE_FILE|- RECORDS."""

import sys

import boto3

from caller_identity import check_caller_identity
from checks import Checks
from control_plane import check_control_plane
from errors import check_errors
from reading import check_reading


def main(endpoint, certificate, records):
    options = {"endpoint_url": endpoint, "verify": None if certificate == "-" else certificate}
    client = boto3.client("kinesis", **options)
    checks = Checks()
    check_reading(client, checks, int(records))
    check_control_plane(client, checks)
    check_errors(client, checks)
    check_caller_identity(client, boto3.client("sts", **options), checks)
    print(checks.line, flush=True)


main(*sys.argv[1:])

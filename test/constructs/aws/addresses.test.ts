import { describe, expect, test } from '@jest/globals'
import { AllowedTraffic, Gateway, VirtualIp } from '../../../constructs/index.ts'
import { type Synthesized, synthesize } from '../synthesized.ts'

/*
 * Addresses are a contract: a resource whose address changes is destroyed and made anew. A change of these snapshots
 * is for people to judge, and belongs into the changelog.
 */
const addresses = (json: Synthesized) =>
  Object.entries(json.resource)
    .flatMap(([type, resources]) => Object.keys(resources).map((id) => `${type}.${id}`))
    .sort()

describe('addresses of resources stay', () => {
  test('of virtual IPs', () => {
    const json = synthesize(
      (stack) =>
        new VirtualIp(stack, 'virtual-ip', {
          name: 'edge',
          zones: ['eu-central-1a'],
        }),
    )
    expect(json.resource).toMatchInlineSnapshot(`
      {
        "aws_eip": {
          "virtual-ip_eu-central-1a_FB14519D": {
            "domain": "vpc",
            "lifecycle": {
              "prevent_destroy": true,
            },
            "tags": {
              "Name": "edge-eu-central-1a",
            },
          },
        },
      }
    `)
  })

  test('of rules between security groups', () => {
    const json = synthesize(
      (stack) =>
        new AllowedTraffic(stack, 'nodes-to-redis', {
          fromSecurityGroupId: 'sg-1',
          toSecurityGroupId: 'sg-2',
          ports: [6379],
          description: 'Nodes count in Redis',
        }),
    )
    expect(addresses(json)).toMatchInlineSnapshot(`
      [
        "aws_vpc_security_group_egress_rule.nodes-to-redis_egress-6379_E1AD86EB",
        "aws_vpc_security_group_ingress_rule.nodes-to-redis_ingress-6379_383EF908",
      ]
    `)
  })

  test('of what holds state, and of what clients and partners know', () => {
    const json = synthesize(
      (stack) =>
        new Gateway(stack, 'gateway', {
          name: 'edge',
          zones: ['eu-central-1a', 'eu-central-1b'],
          configuration: { 'config.yaml': 'workers: auto\n' },
          dnsZone: 'example.com',
          domains: ['api.example.com'],
          parts: { database: {} },
        }),
    )
    const lasting =
      /^aws_(db_instance|eip|elasticache_replication_group|kms_key|lb|lb_target_group|route53_record|s3_bucket|secretsmanager_secret|subnet|vpc|autoscaling_group)\./
    expect(addresses(json).filter((address) => lasting.test(address))).toMatchInlineSnapshot(`
      [
        "aws_autoscaling_group.gateway_fleet_group_BECDE108",
        "aws_db_instance.gateway_database_instance_E50C918A",
        "aws_eip.gateway_network_eu-central-1a_nat-address_34CC0D05",
        "aws_eip.gateway_network_eu-central-1b_nat-address_FD663B60",
        "aws_eip.gateway_virtual-ip_eu-central-1a_5CED5CD2",
        "aws_eip.gateway_virtual-ip_eu-central-1b_5A060F46",
        "aws_elasticache_replication_group.gateway_redis_cluster_90785ACF",
        "aws_kms_key.gateway_key_FA1D864D",
        "aws_lb.gateway_load-balancer_1911B0FB",
        "aws_lb_target_group.gateway_load-balancer_blue_targets-443_48AC4536",
        "aws_lb_target_group.gateway_load-balancer_blue_targets-80_D9428E7D",
        "aws_route53_record.gateway_dns_apiexamplecom-ipv6_7CAFFACE",
        "aws_route53_record.gateway_dns_apiexamplecom_37A908C9",
        "aws_s3_bucket.gateway_configuration_bucket_67DDED5F",
        "aws_s3_bucket.gateway_load-balancer_access-logs_bucket_919458D8",
        "aws_secretsmanager_secret.gateway_certificates_apiexamplecom_B25E612D",
        "aws_subnet.gateway_network_eu-central-1a_data_BE255A8A",
        "aws_subnet.gateway_network_eu-central-1a_private_46C964A1",
        "aws_subnet.gateway_network_eu-central-1a_public_F0ADA7BD",
        "aws_subnet.gateway_network_eu-central-1b_data_BFFA7CD8",
        "aws_subnet.gateway_network_eu-central-1b_private_E442EADC",
        "aws_subnet.gateway_network_eu-central-1b_public_BF1E123E",
        "aws_vpc.gateway_network_vpc_C359CD64",
      ]
    `)
  })
})

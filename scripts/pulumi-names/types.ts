/*
 * Which resource and function of @pulumi/aws stands for which of Terraform's: `module/member:Member` as in the tokens of
 * Pulumi's schema, from the metadata of the bridge (pulumi-aws, provider/resources.go).
 */

const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1)

/** `ec2/subnet` → `aws:ec2/subnet:Subnet`; data sources keep the lower case of functions. */
const token = (path: string) => {
  const member = path.split('/')[1]!
  return `aws:${path}:${/^get[A-Z]/.test(member) ? member : capital(member)}`
}

const members: Record<string, string> = {
  aws_autoscaling_group: 'autoscaling/group',
  aws_autoscaling_lifecycle_hook: 'autoscaling/lifecycleHook',
  aws_autoscaling_policy: 'autoscaling/policy',
  aws_budgets_budget: 'budgets/budget',
  aws_cloudwatch_composite_alarm: 'cloudwatch/compositeAlarm',
  aws_cloudwatch_dashboard: 'cloudwatch/dashboard',
  aws_cloudwatch_log_group: 'cloudwatch/logGroup',
  aws_cloudwatch_log_metric_filter: 'cloudwatch/logMetricFilter',
  aws_cloudwatch_metric_alarm: 'cloudwatch/metricAlarm',
  aws_db_instance: 'rds/instance',
  aws_db_parameter_group: 'rds/parameterGroup',
  aws_db_subnet_group: 'rds/subnetGroup',
  aws_default_security_group: 'ec2/defaultSecurityGroup',
  aws_ecr_lifecycle_policy: 'ecr/lifecyclePolicy',
  aws_ecr_repository: 'ecr/repository',
  aws_egress_only_internet_gateway: 'ec2/egressOnlyInternetGateway',
  aws_eip: 'ec2/eip',
  aws_elasticache_parameter_group: 'elasticache/parameterGroup',
  aws_elasticache_replication_group: 'elasticache/replicationGroup',
  aws_elasticache_serverless_cache: 'elasticache/serverlessCache',
  aws_elasticache_subnet_group: 'elasticache/subnetGroup',
  aws_elasticache_user: 'elasticache/user',
  aws_elasticache_user_group: 'elasticache/userGroup',
  aws_flow_log: 'ec2/flowLog',
  aws_iam_instance_profile: 'iam/instanceProfile',
  aws_iam_role: 'iam/role',
  aws_iam_role_policy: 'iam/rolePolicy',
  aws_iam_role_policy_attachment: 'iam/rolePolicyAttachment',
  aws_iam_service_linked_role: 'iam/serviceLinkedRole',
  aws_imagebuilder_component: 'imagebuilder/component',
  aws_imagebuilder_distribution_configuration: 'imagebuilder/distributionConfiguration',
  aws_imagebuilder_image: 'imagebuilder/image',
  aws_imagebuilder_image_recipe: 'imagebuilder/imageRecipe',
  aws_imagebuilder_infrastructure_configuration: 'imagebuilder/infrastructureConfiguration',
  aws_internet_gateway: 'ec2/internetGateway',
  aws_kms_alias: 'kms/alias',
  aws_kms_grant: 'kms/grant',
  aws_kms_key: 'kms/key',
  aws_launch_template: 'ec2/launchTemplate',
  aws_lb: 'lb/loadBalancer',
  aws_lb_listener: 'lb/listener',
  aws_lb_target_group: 'lb/targetGroup',
  aws_nat_gateway: 'ec2/natGateway',
  aws_route: 'ec2/route',
  aws_route53_health_check: 'route53/healthCheck',
  aws_route53_hosted_zone_dnssec: 'route53/hostedZoneDnsSec',
  aws_route53_key_signing_key: 'route53/keySigningKey',
  aws_route53_record: 'route53/record',
  aws_route53_zone: 'route53/zone',
  aws_route_table: 'ec2/routeTable',
  aws_route_table_association: 'ec2/routeTableAssociation',
  aws_s3_bucket: 's3/bucket',
  aws_s3_bucket_lifecycle_configuration: 's3/bucketLifecycleConfiguration',
  aws_s3_bucket_notification: 's3/bucketNotification',
  aws_s3_bucket_ownership_controls: 's3/bucketOwnershipControls',
  aws_s3_bucket_policy: 's3/bucketPolicy',
  aws_s3_bucket_public_access_block: 's3/bucketPublicAccessBlock',
  aws_s3_bucket_server_side_encryption_configuration: 's3/bucketServerSideEncryptionConfiguration',
  aws_s3_bucket_versioning: 's3/bucketVersioning',
  aws_s3_object: 's3/bucketObjectv2',
  aws_secretsmanager_secret: 'secretsmanager/secret',
  aws_security_group: 'ec2/securityGroup',
  aws_sns_topic: 'sns/topic',
  aws_sns_topic_policy: 'sns/topicPolicy',
  aws_sns_topic_subscription: 'sns/topicSubscription',
  aws_ssm_parameter: 'ssm/parameter',
  aws_subnet: 'ec2/subnet',
  aws_vpc: 'ec2/vpc',
  aws_vpc_endpoint: 'ec2/vpcEndpoint',
  aws_vpc_security_group_egress_rule: 'vpc/securityGroupEgressRule',
  aws_vpc_security_group_ingress_rule: 'vpc/securityGroupIngressRule',
}

const dataMembers: Record<string, string> = {
  aws_ami: 'ec2/getAmi',
  aws_caller_identity: 'index/getCallerIdentity',
  aws_partition: 'index/getPartition',
  aws_region: 'index/getRegion',
  aws_route53_zone: 'route53/getZone',
}

const tokens = (table: Record<string, string>) =>
  Object.fromEntries(Object.entries(table).map(([type, path]) => [type, token(path)]))

export const resourceTypes: Readonly<Record<string, string>> = tokens(members)
export const dataTypes: Readonly<Record<string, string>> = tokens(dataMembers)

/** Names that neither camel case nor a plural gives, by `type.property`, nested ones by their path. */
export const renames: Readonly<Record<string, string>> = {
  'aws_cloudwatch_metric_alarm.alarm_name': 'name',
  'aws_sns_topic_subscription.topic_arn': 'topic',
}

//! `withAWS` in a Jenkinsfile: credentials and roles reach the SDK clients of scripts and the server's own clients alike, and
//! no key is in the journal or the log.

use haliotis_tests::House;

const SAY: &str =
    r#"python3 -c 'import boto3; c = boto3.client("sts"); print(c.meta.region_name, c.get_caller_identity()["Arn"])'"#;

const TEMPLATE: &str = "
Parameters: {Name: {Type: String}}
Resources: {B: {Type: 'AWS::S3::Bucket', Properties: {BucketName: !Ref Name}}}
Outputs: {Made: {Value: !Ref B}}
";

const ROLES: &str = r#"
node {
    sh """SAY"""
    withAWS(role: 'deploy', roleAccount: '123456789012', region: 'eu-west-1', duration: 900) {
        sh """SAY"""
        def made = cfnUpdate(stack: 'of-a-role', file: 'template.yml', params: [Name: 'made-by-a-role'])
        echo "outputs: ${made.Made}"
        withAWS(role: 'arn:aws:iam::000000000000:role/path/inner', roleSessionName: 'second one') {
            sh """SAY"""
        }
        sh 'echo token=$AWS_SESSION_TOKEN'
    }
}
"#;

#[test]
fn roles_and_regions_reach_scripts_and_stacks() {
    let house = House::new();
    house.write("template.yml", TEMPLATE);
    let file = house.write("Jenkinsfile", &ROLES.replace("SAY", SAY)).display().to_string();
    let done = house.run(&["run", &file]).expect(0);
    let said = format!("{}{}", done.stdout, done.stderr);
    for part in [
        "us-east-1 arn:aws:iam::000000000000:user/haliotis",
        "Requesting assume role deploy in account 123456789012",
        "eu-west-1 arn:aws:sts::123456789012:assumed-role/deploy/Jenkins-",
        "outputs: made-by-a-role",
        "eu-west-1 arn:aws:sts::000000000000:assumed-role/inner/second-one",
        "token=****",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
}

#[test]
fn a_role_that_cannot_be_taken_fails_the_step_by_name() {
    let house = House::new();
    let text = "node { withAWS(role: 'x', credentials: 'nobody') { sh 'true' } }\n";
    let file = house.write("Jenkinsfile", text).display().to_string();
    let done = house.run(&["run", &file]).expect(1);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("there is no credential `nobody`"), "{said}");
}
